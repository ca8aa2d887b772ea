// SPDX-License-Identifier: Apache-2.0
// Who we are to Amazon, found as its own tools find it:
//
//   environment ─► web identity ─► profile ─► container ─► instance metadata (v2)
//                                  (keys, role, SSO, credential_process)
//
// The first that is set up counts; when that one does not work it is an error that names it, and no later one
// is tried: keys of another account would be worse than none. Keys that expire are renewed early.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "aws/metadata.hpp"
#include "aws/profiles.hpp"
#include "aws/query.hpp"
#include "aws/sts.hpp"

namespace berth::aws {

struct ChainSetup {
    Environment environment = own_environment();
    std::string profile;                  // empty: AWS_PROFILE, else "default"
    std::string region;                   // of STS; empty: found as find_region() does
    Duration renew_early{900'000};        // before they expire; what is still good serves on when that fails …
    Duration renew_again{60'000};         // … and is tried again after so long
    Duration process_deadline{60'000};    // of a credential_process
};

/// For one thread. The clock outlives it.
class Chain final : public Identity {
public:
    Chain(const Clock& clock, ChainSetup setup) : clock_(clock), setup_(std::move(setup)) {}

    Result<Credentials> credentials() override;
    void refused() override { known_.reset(); }
    /// AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's own.
    Result<std::string> find_region();

private:
    Result<Credentials> find();
    Result<std::optional<Credentials>> from_environment() const;
    Result<std::optional<Credentials>> from_web_identity();
    Result<std::optional<Credentials>> from_profile();
    Result<std::optional<Credentials>> from_container() const;
    Result<Credentials> from_instance();

    Result<Credentials> of_profile(const Profiles& all, const std::string& name, std::uint32_t depth);
    Result<Credentials> of_role(const Profiles& all, const std::string& name, const Section& profile, std::uint32_t depth);
    Result<Credentials> of_sso(const Profiles& all, const std::string& name, const Section& profile) const;
    Result<Credentials> of_process(const std::string& name, const std::string& command) const;
    Result<Credentials> by_web_identity(const Role& role, const std::string& token_file);
    Result<std::unique_ptr<Client>> sts_client(Identity* identity);
    Result<std::string> profile_name() const;
    Metadata* metadata();

    const Clock& clock_;
    ChainSetup setup_;
    std::optional<Credentials> known_;
    Instant renew_at_;
    std::optional<Metadata> metadata_;
};

/// A command's words, quoted as a shell has them; no variables, no pipes. An error for an open quote.
Result<std::vector<std::string>> words_of(std::string_view command);

}  // namespace berth::aws
