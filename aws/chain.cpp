// SPDX-License-Identifier: Apache-2.0
#include "aws/chain.hpp"

#include "base/outside_text.hpp"
#include "os/files.hpp"

namespace berth::aws {

namespace {

constexpr std::uint32_t roles_deep_max = 8;

// The first of several names that is set, for the seeds' shorter ones.
std::pair<std::string, std::string> first_set(const Environment& environment, std::initializer_list<const char*> names) {
    for (const auto* name : names) {
        if (auto value = environment(name); !value.empty()) return {name, std::move(value)};
    }
    return {};
}

Role role_of(const Section& profile) {
    Role role{.arn = value_of(profile, "role_arn"), .external_id = value_of(profile, "external_id")};
    if (auto session = value_of(profile, "role_session_name"); !session.empty()) role.session = std::move(session);
    if (const auto lasts = std::strtol(value_of(profile, "duration_seconds").c_str(), nullptr, 10); lasts > 0) role.lasts = std::chrono::seconds{lasts};
    return role;
}

}  // namespace

Result<Credentials> Chain::credentials() {
    const auto now = clock_.now();
    if (known_ && (!known_->expires_at || now < renew_at_)) return *known_;
    auto fresh = find();
    if (!fresh && known_ && known_->expires_at && *known_->expires_at > now) {
        renew_at_ = now + setup_.renew_again;
        return *known_;
    }
    if (!fresh) return fail(fresh.error());
    if (fresh->expires_at && *fresh->expires_at <= now) {
        return fail(ErrorKind::denied, "the credentials of {} expired at {}; renew them", fresh->origin, to_rfc3339(*fresh->expires_at));
    }
    known_ = std::move(*fresh);
    // Keys of less than half an hour are renewed at half their time.
    if (known_->expires_at) renew_at_ = std::max(*known_->expires_at - setup_.renew_early, now + (*known_->expires_at - now) / 2);
    return *known_;
}

Result<Credentials> Chain::find() {
    if (auto found = TRY(from_environment())) return std::move(*found);
    if (auto found = TRY(from_web_identity())) return std::move(*found);
    if (auto found = TRY(from_profile())) return std::move(*found);
    if (auto found = TRY(from_container())) return std::move(*found);
    auto own = from_instance();
    if (own) return own;
    return fail(ErrorKind::denied,
                "no AWS credentials: no AWS_ACCESS_KEY_ID, no AWS_WEB_IDENTITY_TOKEN_FILE, no profile '{}' in ~/.aws, no container role, and no instance "
                "role ({}). Set one of them: on EC2 attach an instance profile, elsewhere `aws configure`",
                profile_name().value_or("default"), own.error().text);
}

Result<std::optional<Credentials>> Chain::from_environment() const {
    const auto [key_name, key] = first_set(setup_.environment, {"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"});
    const auto [secret_name, secret] = first_set(setup_.environment, {"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"});
    if (!setup_.profile.empty()) return std::nullopt;     // a profile that was named goes first
    if (key.empty() && secret.empty()) return std::nullopt;
    if (secret.empty()) return fail(ErrorKind::denied, "{} is set, but AWS_SECRET_ACCESS_KEY is not", key_name);
    if (key.empty()) return fail(ErrorKind::denied, "{} is set, but AWS_ACCESS_KEY_ID is not", secret_name);
    return Credentials{.access_key = TRY(outside_word(key_name, key)),
                       .secret_key = TRY(outside_word(secret_name, secret)),
                       .session_token = setup_.environment("AWS_SESSION_TOKEN"),
                       .origin = "the environment (" + key_name + ")"};
}

Result<std::optional<Credentials>> Chain::from_web_identity() {
    const auto file = setup_.environment("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (file.empty() || !setup_.profile.empty()) return std::nullopt;
    Role role{.arn = setup_.environment("AWS_ROLE_ARN")};
    if (role.arn.empty()) return fail(ErrorKind::denied, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    if (auto session = setup_.environment("AWS_ROLE_SESSION_NAME"); !session.empty()) role.session = std::move(session);
    return TRY(by_web_identity(role, file));
}

Result<Credentials> Chain::by_web_identity(const Role& role, const std::string& token_file) {
    const auto client = TRY(sts_client(nullptr));
    auto got = assume_role(*client, role, trimmed_outside(TRY(os::read_file(token_file))));
    if (!got) return fail(to_error(got.error()));
    return std::move(*got);
}

Result<std::string> Chain::profile_name() const {
    if (!setup_.profile.empty()) return setup_.profile;
    auto [name, value] = first_set(setup_.environment, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
    return value.empty() ? fail(ErrorKind::not_found, "no profile is named") : Result<std::string>{std::move(value)};
}

Result<std::optional<Credentials>> Chain::from_profile() {
    const auto profiles = TRY(read_profiles(setup_.environment));
    const auto named = profile_name();
    const auto name = named.value_or("default");
    const auto at = profiles.profiles.find(name);
    if (at == profiles.profiles.end()) {
        if (!named) return std::nullopt;
        return fail(ErrorKind::denied, "there is no profile '{}' in {} or {}", name, profiles.config_file, profiles.credentials_file);
    }
    // A default profile that only names a region says nothing of who we are.
    const auto& profile = at->second;
    const bool says = profile.contains("aws_access_key_id") || profile.contains("role_arn") || profile.contains("credential_process") ||
                      profile.contains("sso_session") || profile.contains("sso_start_url");
    if (!says && !named) return std::nullopt;
    return TRY(of_profile(profiles, name, 0));
}

Result<Credentials> Chain::of_profile(const Profiles& all, const std::string& name, std::uint32_t depth) {
    const auto at = all.profiles.find(name);
    if (at == all.profiles.end()) return fail(ErrorKind::denied, "there is no profile '{}' in {} or {}", name, all.config_file, all.credentials_file);
    const auto& profile = at->second;
    if (depth > roles_deep_max) return fail(ErrorKind::denied, "profile '{}': source_profile leads round in a circle", name);
    // A role that names its own profile as its source takes that one's keys.
    const bool own_source = depth > 0 && value_of(profile, "source_profile") == name;
    if (profile.contains("role_arn") && !own_source) return of_role(all, name, profile, depth);
    if (profile.contains("aws_access_key_id")) {
        Credentials keys{.access_key = value_of(profile, "aws_access_key_id"),
                         .secret_key = value_of(profile, "aws_secret_access_key"),
                         .session_token = value_of(profile, "aws_session_token"),
                         .origin = "profile " + name};
        if (keys.secret_key.empty()) return fail(ErrorKind::denied, "profile '{}' has aws_access_key_id, but no aws_secret_access_key", name);
        return keys;
    }
    if (profile.contains("sso_session") || profile.contains("sso_start_url")) return of_sso(all, name, profile);
    if (const auto command = value_of(profile, "credential_process"); !command.empty()) return of_process(name, command);
    return fail(ErrorKind::denied, "profile '{}' names no credentials: neither keys nor role_arn, sso_session or credential_process", name);
}

Result<Credentials> Chain::of_role(const Profiles& all, const std::string& name, const Section& profile, std::uint32_t depth) {
    const auto role = role_of(profile);
    if (const auto file = value_of(profile, "web_identity_token_file"); !file.empty()) return by_web_identity(role, file);
    if (profile.contains("mfa_serial")) {
        return fail(ErrorKind::denied, "profile '{}' wants a code of mfa_serial, which only a person has; use credential_process or sso_session", name);
    }
    const auto source = value_of(profile, "source_profile");
    const auto place = value_of(profile, "credential_source");
    Credentials base;
    if (!source.empty()) {
        base = TRY(of_profile(all, source, depth + 1));
    } else if (place == "Environment") {
        const auto keys = TRY(from_environment());
        if (!keys) return fail(ErrorKind::denied, "profile '{}' takes its keys from the environment, but AWS_ACCESS_KEY_ID is not set", name);
        base = *keys;
    } else if (place == "EcsContainer") {
        const auto keys = TRY(from_container());
        if (!keys) return fail(ErrorKind::denied, "profile '{}' takes its keys from the container, but no AWS_CONTAINER_CREDENTIALS_… is set", name);
        base = *keys;
    } else if (place == "Ec2InstanceMetadata") {
        base = TRY(from_instance());
    } else {
        return fail(ErrorKind::denied, "profile '{}' has a role_arn, but no source_profile and no credential_source that is known ('{}')", name, place);
    }
    FixedIdentity identity(std::move(base));
    const auto client = TRY(sts_client(&identity));
    auto got = assume_role(*client, role);
    if (!got) return fail(to_error(got.error()));
    got->origin += " by profile " + name;
    return std::move(*got);
}

Result<std::unique_ptr<Client>> Chain::sts_client(Identity* identity) {
    const auto region = setup_.region.empty() ? TRY(find_region()) : setup_.region;
    auto endpoint = TRY(endpoint_of(sts, region, setup_.environment));
    return std::make_unique<Client>(clock_, identity, Setup{.service = sts, .region = region, .endpoint = std::move(endpoint)});
}

Metadata* Chain::metadata() {
    if (!metadata_) {
        if (auto setup = metadata_setup(setup_.environment)) metadata_.emplace(clock_, std::move(*setup));
    }
    return metadata_ ? &*metadata_ : nullptr;
}

Result<std::string> Chain::find_region() {
    auto [name, region] = first_set(setup_.environment, {"AWS_REGION", "AWS_DEFAULT_REGION"});
    if (region.empty()) {
        const auto profiles = TRY(read_profiles(setup_.environment));
        const auto at = profiles.profiles.find(profile_name().value_or("default"));
        if (at != profiles.profiles.end()) region = value_of(at->second, "region");
        name = "the profile's region";
    }
    if (region.empty()) {
        auto* service = metadata();
        const auto own = service ? service->get("meta-data/placement/region") : fail(ErrorKind::not_found, "no metadata service");
        if (!own) return fail(ErrorKind::invalid, "no region: set AWS_REGION, or `region` in the profile or in the pool's [template]");
        region = trimmed_outside(*own);
        name = "the instance's region";
    }
    if (const auto good = check_region(region); !good) return fail(ErrorKind::invalid, "{}: {}", name, good.error().text);
    return region;
}

}  // namespace berth::aws
