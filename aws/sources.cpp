// SPDX-License-Identifier: Apache-2.0
// Keys that others hand out: a container's agent, the instance, a sign-on, a program.
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "aws/chain.hpp"
#include "base/descriptor.hpp"
#include "base/hash.hpp"
#include "base/outside_text.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::aws {

namespace {

using Json = nlohmann::json;
constexpr std::size_t answer_bytes_max = 64 * 1024;
constexpr Duration agent_deadline{5'000};
constexpr Duration sign_on_deadline{20'000};

std::string text_at(const Json& from, const char* key) {
    const auto at = from.is_object() ? from.find(key) : from.end();
    return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

// The form that container agents, the metadata service and credential_process share but for the token's name.
Result<Credentials> credentials_of(const std::string& text, const char* token_name, const std::string& origin) {
    const auto json = Json::parse(text, nullptr, false);
    Credentials got{.access_key = text_at(json, "AccessKeyId"),
                    .secret_key = text_at(json, "SecretAccessKey"),
                    .session_token = text_at(json, token_name),
                    .origin = origin};
    if (got.session_token.empty()) got.session_token = text_at(json, "SessionToken");
    if (got.access_key.empty() || got.secret_key.empty()) {
        return fail(ErrorKind::denied, "{} gives no credentials{}", origin, json.is_discarded() ? ": it is no JSON" : "");
    }
    if (const auto end = text_at(json, "Expiration"); !end.empty()) got.expires_at = TRY(from_rfc3339(end));
    return got;
}

// Keys go in the clear only to this machine, or to the link-local addresses that are Amazon's own.
bool may_be_asked_in_the_clear(const std::string& url) {
    if (url.starts_with("https://") || http::is_loopback(url)) return true;
    const auto host = host_of_url(url);
    return host == "169.254.170.2" || host == "169.254.170.23" || host == "[fd00:ec2::23]";
}

std::string sha1_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha1(), nullptr) != 1) return {};
    return to_hex({reinterpret_cast<const char*>(digest.data()), length});
}

Result<std::string> read_until_end(int from, Duration deadline) {
    std::string text;
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (true) {
        const auto left = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
        pollfd wait{from, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) == 0) return fail(ErrorKind::timeout, "it has not ended after {}", to_text(deadline));
        std::array<char, 4096> part{};
        const auto got = ::read(from, part.data(), part.size());
        if (got == 0) return text;
        if (got < 0 && errno != EINTR) return fail(ErrorKind::unavailable, "its output cannot be read: {}", std::strerror(errno));
        if (got > 0) text.append(part.data(), static_cast<std::size_t>(got));
        if (text.size() > answer_bytes_max) return fail(ErrorKind::limit, "it writes more than {} bytes", answer_bytes_max);
    }
}

}  // namespace

Result<std::optional<Credentials>> Chain::from_container() const {
    auto url = setup_.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (const auto path = setup_.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty()) url = "http://169.254.170.2" + path;
    if (url.empty()) return std::nullopt;
    if (!may_be_asked_in_the_clear(url)) {
        return fail(ErrorKind::denied, "AWS_CONTAINER_CREDENTIALS_FULL_URI={} is neither https nor this machine's: keys do not go over it", url);
    }
    auto token = setup_.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (const auto file = setup_.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) token = trimmed_outside(TRY(os::read_file(file)));
    http::Request request{.url = url, .deadline = agent_deadline, .body_bytes_max = answer_bytes_max};
    if (!token.empty()) request.headers.push_back("Authorization: " + TRY(outside_word("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)));
    const auto answer = http::ask(std::move(request));
    if (!answer) return fail(ErrorKind::denied, "the container's agent does not answer: {}", answer.error().text);
    if (answer->status != 200) return fail(ErrorKind::denied, "the container's agent at {} answers with HTTP {}", url, answer->status);
    return TRY(credentials_of(answer->body, "Token", "the container's role"));
}

Result<Credentials> Chain::from_instance() {
    auto* service = metadata();
    if (!service) return fail(ErrorKind::not_found, "AWS_EC2_METADATA_DISABLED is true");
    const auto roles = TRY(service->get("meta-data/iam/security-credentials/"));
    const auto role = trimmed_outside(roles.substr(0, roles.find('\n')));
    if (role.empty()) return fail(ErrorKind::not_found, "this instance has no role");
    return credentials_of(TRY(service->get("meta-data/iam/security-credentials/" + role)), "Token", "the instance's role " + role);
}

Result<Credentials> Chain::of_sso(const Profiles& all, const std::string& name, const Section& profile) const {
    const auto session_name = value_of(profile, "sso_session");
    auto region = value_of(profile, "sso_region");
    auto cache_key = value_of(profile, "sso_start_url");
    if (!session_name.empty()) {
        const auto session = all.sso_sessions.find(session_name);
        if (session == all.sso_sessions.end()) return fail(ErrorKind::denied, "profile '{}': there is no [sso-session {}]", name, session_name);
        region = value_of(session->second, "sso_region");
        cache_key = session_name;
    }
    const auto account = value_of(profile, "sso_account_id");
    const auto role = value_of(profile, "sso_role_name");
    if (region.empty() || account.empty() || role.empty()) {
        return fail(ErrorKind::denied, "profile '{}' needs sso_region, sso_account_id and sso_role_name", name);
    }
    const auto again = fmt::format("sign on again: aws sso login --profile {}", name);
    const auto cache = setup_.environment("HOME") + "/.aws/sso/cache/" + sha1_hex(cache_key) + ".json";
    const auto text = os::read_file(cache);
    if (!text) return fail(ErrorKind::denied, "profile '{}' has no sign-on ({}); {}", name, text.error().text, again);
    const auto json = Json::parse(*text, nullptr, false);
    const auto token = text_at(json, "accessToken");
    const auto ends = from_rfc3339(text_at(json, "expiresAt"));
    if (token.empty() || !ends || *ends <= clock_.now()) return fail(ErrorKind::denied, "the sign-on of profile '{}' is over; {}", name, again);

    auto endpoint = setup_.environment("AWS_ENDPOINT_URL_SSO");
    if (endpoint.empty()) endpoint = fmt::format("https://portal.sso.{}.{}", region, domain_of(region));
    while (endpoint.ends_with('/')) endpoint.pop_back();
    const auto bearer = TRY(outside_word(cache, token));
    const auto answer = TRY(http::ask({.url = fmt::format("{}/federation/credentials?account_id={}&role_name={}", endpoint, encoded(account), encoded(role)),
                                       .headers = {"x-amz-sso_bearer_token: " + bearer},
                                       .deadline = sign_on_deadline,
                                       .body_bytes_max = answer_bytes_max}));
    if (answer.status == 401) return fail(ErrorKind::denied, "the sign-on of profile '{}' is not taken any more; {}", name, again);
    const auto got = Json::parse(answer.body, nullptr, false);
    const auto keys = got.is_object() && got.contains("roleCredentials") ? got["roleCredentials"] : Json{};
    Credentials found{.access_key = text_at(keys, "accessKeyId"), .secret_key = text_at(keys, "secretAccessKey"),
                      .session_token = text_at(keys, "sessionToken"), .origin = "the sign-on of profile " + name};
    if (answer.status != 200 || found.access_key.empty() || found.secret_key.empty()) {
        return fail(ErrorKind::denied, "the sign-on of profile '{}' gives no role {} in account {}: HTTP {}", name, role, account, answer.status);
    }
    if (const auto end = keys.value("expiration", std::int64_t{0}); end > 0) found.expires_at = Instant{Duration{end}};
    return found;
}

Result<Credentials> Chain::of_process(const std::string& name, const std::string& command) const {
    auto words = TRY(words_of(command));
    const auto origin = fmt::format("credential_process of profile {}", name);
    if (words.empty()) return fail(ErrorKind::denied, "{} is empty", origin);
    if (words.front().find('/') == std::string::npos) {
        const auto found = os::program_on_path(words.front());
        if (found.empty()) return fail(ErrorKind::denied, "{}: there is no program '{}'", origin, words.front());
        words.front() = found;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorKind::unavailable, "{}: no pipe: {}", origin, std::strerror(errno));
    const Descriptor reader(ends[0]);
    std::optional<Descriptor> writer(std::in_place, ends[1]);
    const auto started = os::start_program({.arguments = words, .answers = writer->number()});
    writer.reset();                       // so that its end is seen
    if (!started) return fail(ErrorKind::denied, "{}: {}", origin, started.error().text);
    const auto text = read_until_end(reader.number(), setup_.process_deadline);
    const auto status = os::wait_for(started->pid, text ? agent_deadline : Duration{0});
    if (!text) return fail(ErrorKind::denied, "{}: {}", origin, text.error().text);
    if (!status || *status != 0) return fail(ErrorKind::denied, "{} failed{}", origin, status ? fmt::format(" with status {}", *status) : std::string{});
    const auto begin = text->find('{');   // before it are perhaps its warnings
    return credentials_of(begin == std::string::npos ? *text : text->substr(begin, text->rfind('}') - begin + 1), "SessionToken", origin);
}

Result<std::vector<std::string>> words_of(std::string_view command) {
    std::vector<std::string> words;
    std::string word;
    bool open = false;                    // a word, that may be empty
    char quote = 0;
    for (std::size_t i = 0; i < command.size(); ++i) {
        const char c = command[i];
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else if (c == '\\' && quote == '"' && i + 1 < command.size() && (command[i + 1] == '"' || command[i + 1] == '\\')) {
                word += command[++i];
            } else {
                word += c;
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
            open = true;
        } else if (c == '\\' && i + 1 < command.size()) {
            word += command[++i];
            open = true;
        } else if (c == ' ' || c == '\t') {
            if (open) words.push_back(std::exchange(word, {}));
            open = false;
        } else {
            word += c;
            open = true;
        }
    }
    if (quote != 0) return fail(ErrorKind::invalid, "a quote is not closed in: {}", command);
    if (open) words.push_back(std::move(word));
    return words;
}

}  // namespace berth::aws
