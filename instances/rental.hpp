// SPDX-License-Identifier: Apache-2.0
// An instance with a time to live, as EC2 lists it: all that is known of it stands in its tags, so that any process
// on any machine, after any crash, decides the same. Pure.
//
//   pending ─► running ──(its time is over)──► stopping ─► stopped ──(keep_stopped)──► shutting-down ─► *terminated
//                 ▲                                            │
//                 └──────────(extend, start)───────────────────┘        a spot instance can not be stopped: it ends at once
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aws/machines.hpp"
#include "aws/prices.hpp"
#include "instances/policy.hpp"

namespace berth::instances {

inline constexpr const char* kind_tag = "berth:kind";            // "instance"
inline constexpr const char* kind = "instance";
inline constexpr const char* expires_tag = "berth:expires-at";
inline constexpr const char* created_tag = "berth:created-at";
inline constexpr const char* creator_tag = "berth:created-by";
inline constexpr const char* user_tag = "berth:ssh-user";
inline constexpr const char* price_tag = "berth:price";          // microdollars per hour
inline constexpr const char* token_tag = "berth:token";          // that it was asked for by
inline constexpr const char* spent_tag = "berth:spent";          // microdollars, up to its last start

struct Rental {
    std::string id;
    std::string name;
    std::string region;
    std::string zone;
    std::string type;
    std::string state;                    // EC2's word: "running"
    std::string address;                  // public, else private
    std::string ssh_user;
    std::string key;                      // its key pair; empty: nobody can sign in by ssh
    std::string created_by;
    std::string reason;                   // EC2's, of its state
    bool spot = false;
    Instant created_at;
    Instant launched_at;                  // its last start
    std::optional<Instant> stopped_at;
    std::optional<Instant> expires_at;    // none: the tag is gone or no time
    std::uint32_t price = 0;              // microdollars per hour; 0: nobody knows
    aws::Microdollars spent = 0;          // up to its last start

    bool operator==(const Rental&) const = default;
    bool is_over() const { return state == "terminated" || state == "shutting-down"; }
    bool runs() const { return state == "running" || state == "pending"; }
};

/// None: it is another's machine.
std::optional<Rental> read_rental(const aws::Machine& machine, const std::string& cluster);
/// "us-east-1" of "us-east-1a", also of local zones ("us-west-2-lax-1a").
Result<std::string> region_of_zone(const std::string& zone);
/// "… (2026-11-27 10:00:00 GMT)".
std::optional<Instant> time_in(const std::string& transition);

aws::Microdollars cost_so_far(const Rental& rental, Instant now);
/// Of all that run, per hour.
aws::Microdollars cost_per_hour(const std::vector<Rental>& rentals);
/// An error when one more of that price would cost more per hour than the policy lets.
Result<void> check_spend(const std::vector<Rental>& rentals, std::uint32_t price, const Policy& policy);

/// The end of a rental that is asked to last that long from now: never earlier than it was, never later than the cap.
Instant extended(const std::optional<Instant>& end, Duration by, const Policy& policy, Instant now);

BERTH_ENUM(DeedKind,
           stop,
           terminate,
           mark)        // its end is written down again: the tag was gone
struct Deed {
    DeedKind kind = DeedKind::stop;
    std::string id;
    std::string region;
    std::string why;
    std::optional<Instant> expires_at;    // of mark
    BERTH_FIELDS(Deed, kind, id, region, why, expires_at)
};
/// What has to be done now. The same again while EC2 has not done it: each deed may be done twice.
std::vector<Deed> due(const std::vector<Rental>& rentals, const Policy& policy, Instant now);

struct Change {
    std::string id;
    std::string what;                     // "was stopped behind our back: …"
    BERTH_FIELDS(Change, id, what)
};
/// What happened between two listings.
std::vector<Change> changes(const std::vector<Rental>& before, const std::vector<Rental>& now, Instant at);

}  // namespace berth::instances
