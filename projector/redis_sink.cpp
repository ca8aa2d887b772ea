// SPDX-License-Identifier: Apache-2.0
#include "projector/redis_sink.hpp"

namespace berth::projector {

namespace {

constexpr const char* default_prefix = "berth";           // a ledger's own keys begin with a brace
constexpr const char* scan_count = "1000";
constexpr std::size_t keys_max = 2'000'000;

/// Others may have keys of that prefix: these are the picture's.
bool is_ours(std::string_view key) { return key == head_key || key.starts_with("container:") || key.starts_with("user:") || key.starts_with("host:"); }

/// A prefix may hold what SCAN takes for a pattern.
std::string pattern_of(const std::string& prefix) {
    std::string pattern;
    for (const char c : prefix) {
        if (std::string_view{"*?[]\\^"}.find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern + "*";
}

}  // namespace

RedisSink::RedisSink(redis::Address address, const Policy& policy)
    : address_(std::move(address)),
      access_{.user = policy.redis_user, .password_file = policy.redis_password_file, .section = "projector", .connect = Duration{2'000}, .answer = Duration{5'000}},
      prefix_((address_.prefix.empty() ? default_prefix : address_.prefix) + ":"), lifetime_ms_(std::to_string(policy.lifetime.count())) {}

Result<std::unique_ptr<Sink>> RedisSink::open(const Policy& policy) {
    auto address = redis::parse_address(policy.redis);
    if (!address) return fail(address.error().kind, "[projector] redis = {}", address.error().text);
    return std::unique_ptr<Sink>{new RedisSink(std::move(*address), policy)};
}

Result<void> RedisSink::connect() {
    if (connection_ && connection_->is_open()) return {};
    connection_ = TRY(redis::Connection::open(address_.place, access_));
    return {};
}

Result<std::vector<std::string>> RedisSink::keys() {
    TRY(connect());
    std::vector<std::string> found;
    std::string cursor = "0";
    do {
        const auto page = TRY(connection_->ask({"SCAN", cursor, "MATCH", pattern_of(prefix_), "COUNT", scan_count}));
        if (page.list.size() != 2) return fail(ErrorKind::internal, "{} answered SCAN with something else", address_.place.name);
        cursor = page.list[0].text;
        for (const auto& one : page.list[1].list) {
            if (one.text.starts_with(prefix_) && is_ours(std::string_view{one.text}.substr(prefix_.size()))) found.push_back(one.text.substr(prefix_.size()));
        }
        // A key may come twice, while the server's table grows.
        if (found.size() > keys_max) return fail(ErrorKind::limit, "{} holds more than {} keys of {}*", address_.place.name, keys_max, prefix_);
    } while (cursor != "0");
    return found;
}

// Each entry is replaced as a whole: a reader never sees the fields of two.
Result<void> RedisSink::write(const Write& wanted) {
    TRY(connect());
    std::vector<redis::Words> commands{{"MULTI"}};
    for (const auto& [name, fields] : wanted.set) {
        commands.push_back({"DEL", key(name)});
        if (fields.empty()) continue;
        redis::Words words{"HSET", key(name)};
        for (const auto& [field, value] : fields) {
            words.push_back(field);
            words.push_back(value);
        }
        commands.push_back(std::move(words));
        commands.push_back({"PEXPIRE", key(name), lifetime_ms_});
    }
    for (const auto& name : wanted.removed) commands.push_back({"DEL", key(name)});
    commands.push_back({"EXEC"});
    for (const auto& name : wanted.renewed) commands.push_back({"PEXPIRE", key(name), lifetime_ms_});
    const auto replies = TRY(connection_->ask_all(commands));
    for (std::size_t i = replies.size() - wanted.renewed.size(); i < replies.size(); ++i) {
        if (replies[i].number == 1) continue;
        return fail(ErrorKind::conflict, "{} lost entries of the picture: all is written anew", address_.place.name);
    }
    return {};
}

}  // namespace berth::projector
