// SPDX-License-Identifier: Apache-2.0
// The gateway's core: one HTTP request in, one decision out. Reads are answered from the picture;
// everything else becomes one request to the allocator, and what is answered is made of its reply.
// Nothing is decided here that the ledger decides.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "events/query.hpp"
#include "gateway/access.hpp"
#include "gateway/logins.hpp"
#include "gateway/oidc.hpp"
#include "gateway/policy.hpp"
#include "gateway/session.hpp"
#include "gateway/tape.hpp"

namespace berth::gateway {

/// How a browser would fare at a host's proxy, as this machine tried it.
struct Reached {
    bool ok = false;
    std::string why;                       // when not
    Instant at;
    friend bool operator==(const Reached&, const Reached&) = default;
};

constexpr Duration head_patience{5'000};  // the allocator's beacon comes every second

/// What is known, kept current by the shell.
struct Picture {
    Policy policy;
    CompatPolicy compat;
    OidcPolicy oidc;
    std::vector<TrustedNetwork> networks;
    TokenTable tokens;
    Logins logins;
    View view;
    std::map<HostId, HostHeartbeat> heartbeats;
    std::map<WorkspaceId, UseSeen> uses;   // of those in the view
    std::map<WorkspaceId, Tape> tapes;     // the same
    std::map<HostId, Instant> heard;       // when the last heartbeat came, of those in the view
    std::map<HostId, Reached> reached;     // of hosts that enrolled
    std::map<std::string, ProviderSnapshot> providers;   // what each said last of its troubles and advice; without its instances
    std::optional<BrokerStatus> broker;    // as it said last; nothing when it did not answer the last time
    bool ever_followed = false;            // there was a view once
    bool following = false;                // and nothing was lost since
    Instant head_at;                       // when the allocator's beacon was last heard
    bool storage_low = false;              // and said that its disk is full
    Instant started_at;
};

using Call = std::variant<ClaimRequest, LinkRequest, ReleaseRequest, DestroyRequest, ExtendRequest, HoldRequest, SaveHomeRequest, ChooseHomeRequest,
                          FactsRequest, CordonRequest, UncordonRequest, EndHostRequest>;
using Reply = std::variant<ClaimReply, Done, FactsReply, EndHostReply>;

/// What the reply has to be dressed as.
struct Dress {
    const Route* route = nullptr;
    Caller caller;
    std::string parameter;                 // of the path
    std::string subject;                   // of listed facts
    std::uint32_t limit = 0;
    bool known_before = false;             // the claim's key was used before
};

struct Ask {
    Call call;
    Duration timeout{0};
    Dress dress;
};

/// `GET /v1/events`: what this client wants to hear, and from where.
struct StreamWish {
    Caller caller;
    std::vector<std::string> types;        // beginnings of names; empty: all
    std::string subject;
    std::optional<Position> from;          // first position wanted; none: only what comes
    std::string ledger;                    // that this position is of; empty: any
};

struct TokenChange {
    std::optional<TokenWish> mint;
    std::string revoke;                    // an id
    Dress dress;
};

/// A machine with a host's token wants in; what is left to see is whether its key and its token's uses allow it.
struct EnrolWish {
    Machine machine;
    std::string public_key;
    PoolName pool;
    std::uint32_t slots = 0;
    std::string asked_at;                  // the name under which this gateway was asked, without its port
    std::string gateway_url;               // where its browsers find this gateway
    Dress dress;
};

/// What the agent of a machine says that speaks HTTP alone.
struct ForeignSaid {
    std::string instance;
    std::string public_ip;
    std::string private_ip;
};
enum class ForeignAct { registers, beats };
struct ForeignWish {
    ForeignAct act = ForeignAct::beats;
    Machine machine;
    ForeignSaid said;
    PoolName pool;
    SlotReport slot;                       // as the ledger knows it
    Dress dress;
};
inline constexpr std::string_view not_recycled = "released, and not recycled yet: its agent has to register again";

struct MetricsWish {};                    // the shell's own counters are in it

/// A browser signs in or out, or an operator ends what lets somebody in.
struct SignInByLink { std::string link; };
struct SignInByToken { std::string token_id; };
struct SignOut { std::string session; };
struct EndUser { UserId user; };
struct SessionWish {
    std::variant<SignInByLink, SignInByToken, SignOut, EndUser> act;
    Secure secure = Secure::yes;
    Dress dress;
};
struct SessionOutcome {
    std::optional<MintedToken> opened;
    std::size_t ended = 0;
};

/// A person goes to the issuer to sign in, or comes back from there.
struct OidcBegin {
    std::string to;                        // where to go then
    std::string redirect_uri;
    Secure secure = Secure::yes;
};
struct OidcEnd {
    Returned returned;
    Secure secure = Secure::yes;
};

/// A command wants a person's token, and the person's word on it.
struct LoginBegin { std::string machine; std::string url; };
struct LoginTake { std::string id; std::string secret; };
struct LoginAnswer { std::string code; std::optional<UserId> user; TokenRole role = TokenRole::user; };   // without a user: refused
struct LoginWish {
    std::variant<LoginBegin, LoginTake, LoginAnswer> act;
    std::string remote;
    Dress dress;
};
struct LoginOutcome {
    Login login;
    std::string secret;                    // of one that was begun
    std::optional<MintedToken> token;      // of one that was taken
};

using Step = std::variant<HttpAnswer, Ask, StreamWish, TokenChange, EnrolWish, ForeignWish, MetricsWish, SessionWish, OidcBegin, OidcEnd, LoginWish>;

struct Turn {
    Instant now;
    std::string request_id;                // also the idempotency key of what brings none
};

Step step(const Picture& picture, const HttpRequest& request, const Turn& turn);
HttpAnswer answer(const Picture& picture, const Dress& dress, const Result<Reply>& reply, const Turn& turn);
HttpAnswer answer_token(const TokenChange& change, const Result<MintedToken>& minted, const Turn& turn);
HttpAnswer answer_session(const Picture& picture, const SessionWish& wish, const Result<SessionOutcome>& outcome, const Turn& turn);

/// The session that this request used is to end later than it would, and its cookie says so too.
struct Renewal {
    std::string session;                   // its id
    Instant end;
    std::string cookie;                    // value of Set-Cookie
};
HttpAnswer answer_login(const LoginWish& wish, const Result<LoginOutcome>& outcome, const Turn& turn);
/// On to the issuer, or why not. `browser` is what this browser is to be known by when it comes back.
HttpAnswer answer_oidc_begin(const OidcBegin& wish, const Result<std::string>& url, const std::string& browser, Duration lifetime);
/// Signed in, and on to where the person wanted; or a page that says why not.
HttpAnswer answer_oidc_end(const Picture& picture, const OidcEnd& wish, const std::string& to, const Result<MintedToken>& session);
std::optional<Renewal> renewal_of(const Picture& picture, const HttpRequest& request, const Turn& turn);
/// What the shell learned: where hosts find the broker, and what the configuration says to them.
struct EnrolAnswer {
    bool fresh = false;                    // it was not enrolled before
    std::string requests;                  // the broker's address
    std::string broker_key;
    std::map<std::string, std::map<std::string, std::string>> settings;   // section, key, as it stands in TOML
};
HttpAnswer answer_foreign(const Picture& picture, const ForeignWish& wish, const Result<void>& outcome, const Turn& turn);
HttpAnswer answer_enrol(const EnrolWish& wish, const Result<EnrolAnswer>& outcome, const Turn& turn);
/// Whether the picture shows what this reply tells of already. An answer waits for it (at most
/// policy.catch_up), so that who reads after writing finds what they wrote.
bool shows(const Picture& picture, const Result<Reply>& reply);
bool shows(const Picture& picture, const ForeignWish& wish, const Result<void>& outcome);

}  // namespace berth::gateway
