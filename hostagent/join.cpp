// SPDX-License-Identifier: Apache-2.0
#include "hostagent/join.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/diagnostics.hpp"
#include "base/outside_text.hpp"
#include "bus/keys.hpp"
#include "http/client.hpp"
#include "os/address.hpp"
#include "os/files.hpp"

namespace berth::hostagent {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t label_max = 64;
constexpr std::size_t answer_bytes_max = 256 * 1024;
constexpr Duration ask_deadline{20'000};
constexpr Duration look_deadline{2'000};
constexpr Duration look_again{500};
constexpr Duration looks_within{90'000};     // after that the gateway's word stands in `berth hosts`
constexpr Duration first_pause{250}, longest_pause{5'000};      // between two tries to reach the gateway
constexpr int bad_gateway_status = 502, unavailable_status = 503;
constexpr std::size_t cleartext_port = 80, tls_port = 443;

// A name that people gave their machine, as far as a host's id may look so.
std::string label_of(const std::string& name) {
    std::string label;
    for (const char c : name.substr(0, std::min(name.find('.'), label_max))) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        label += plain ? c : '-';
    }
    return label;
}

std::string usual_folder() {
    if (::geteuid() == 0) return "/var/lib/berth-host";
    const auto home = environment_text("HOME");
    return home.empty() ? std::string{} : home + "/.local/state/berth-host";
}

struct Where {
    std::string host;
    std::uint16_t port = 0;
};
Result<Where> read_url(const std::string& url) {
    const bool tls = url.starts_with("https://");
    if (!tls && !url.starts_with("http://")) return fail(ErrorKind::invalid, "--url '{}' is not http://… or https://…", url);
    auto rest = url.substr(url.find("://") + 3);
    rest = rest.substr(0, rest.find('/'));
    Where where{rest, static_cast<std::uint16_t>(tls ? tls_port : cleartext_port)};
    const auto colon = rest.rfind(':');
    if (colon != std::string::npos && rest.find(']', colon) == std::string::npos) {
        const auto [end, error] = std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), where.port);
        if (error != std::errc{} || end != rest.data() + rest.size()) return fail(ErrorKind::invalid, "--url '{}' has no such port", url);
        where.host = rest.substr(0, colon);
    }
    if (where.host.starts_with('[') && where.host.ends_with(']')) where.host = where.host.substr(1, where.host.size() - 2);
    if (where.host.empty()) return fail(ErrorKind::invalid, "--url '{}' names no host", url);
    return where;
}

Result<std::string> token_of(const JoinFlags& flags) {
    if (!flags.token.empty()) return outside_word("--token", flags.token);
    if (!flags.token_file.empty()) return outside_word(flags.token_file, TRY(os::read_file(flags.token_file)));
    const auto from_environment = environment_text("BERTH_HOST_TOKEN");
    if (!from_environment.empty()) return outside_word("BERTH_HOST_TOKEN", from_environment);
    return fail(ErrorKind::invalid, "a host's token is missing: --token, --token-file or BERTH_HOST_TOKEN; an operator makes one with `berth host-token`");
}

Result<Json> read_answer(const Result<http::Answer>& answer, const std::string& url) {
    if (!answer) return fail(answer.error().kind, "the gateway at {} does not answer: {}", url, answer.error().text);
    auto body = Json::parse(answer->body, nullptr, false);
    if (answer->status / 100 == 2 && body.is_object()) return body;
    const auto text = body.is_object() ? body.value("detail", body.value("error", std::string{})) : std::string{};
    if (text.empty()) return fail(ErrorKind::unavailable, "{} answered {} and nothing that a gateway says: is it one?", url, answer->status);
    const auto kind = enum_from<ErrorKind>(body.value("kind", std::string{})).value_or(ErrorKind::unavailable);
    return fail(kind, "{}", text);
}

// A machine's first boot meets a control plane that is being started again: nobody is there to type it once more.
Result<http::Answer> ask_in_time(const http::Request& request, Duration wait) {
    const RealClock clock;
    const auto until = clock.now() + wait;
    auto pause = first_pause;
    bool told = false;
    while (true) {
        auto answer = http::ask(http::Request{request});
        const bool nobody = answer ? answer->status == unavailable_status || answer->status == bad_gateway_status : answer.error().kind == ErrorKind::unavailable;
        if (!nobody || clock.now() + pause >= until) return answer;
        if (!told) log_warn("join.waits", {{"why", answer ? fmt::format("{} answered {}", request.url, answer->status) : answer.error().text}, {"until", to_rfc3339(until)}});
        told = true;
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, longest_pause);
    }
}

std::string quoted(const std::string& text) { return Json(text).dump(); }   // JSON's strings are TOML's too

// What the gateway said, and over it the machine owner's own settings.
Result<std::string> settings_text(const Json& from, const std::vector<std::string>& sets) {
    std::map<std::string, std::map<std::string, std::string>> sections;
    for (const auto& [section, settings] : from.items()) {
        if (!settings.is_object()) continue;
        for (const auto& [key, value] : settings.items()) {
            if (value.is_string()) sections[section][key] = value.get<std::string>();
        }
    }
    for (const auto& text : sets) {
        const auto equals = text.find('=');
        const auto dot = text.find('.');
        if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 >= equals) {
            return fail(ErrorKind::invalid, "--set wants section.key=value, as in --set hostagent.engine=docker; it got '{}'", text);
        }
        const auto value = text.substr(equals + 1);
        sections[text.substr(0, dot)][text.substr(dot + 1, equals - dot - 1)] = value.starts_with('"') || value.starts_with('[') ? value : quoted(value);
    }
    std::string text = "# What the control plane's configuration says to its hosts. Written by `berth-hostagent join`.\n";
    for (const auto& [section, settings] : sections) {
        text += fmt::format("[{}]\n", section);
        for (const auto& [key, value] : settings) text += fmt::format("{} = {}\n", key, value);
    }
    return text;
}

std::string host_text(const Flags& flags) {
    return fmt::format("# Who this machine is to berth. Written by `berth-hostagent join`; later starts need --state alone.\n[host]\n"
                       "id = {}\npool = {}\nhomes = {}\nengine = {}\npublic_ip = {}\nprivate_ip = {}\nproxy_port = {}\nslots = {}\n",
                       quoted(flags.host_id), quoted(flags.pool), quoted(flags.homes), quoted(flags.engine), quoted(flags.public_ip),
                       quoted(flags.private_ip), flags.proxy_port, flags.slots);
}

std::string bus_text(const std::string& requests) {
    return fmt::format("# Where the broker listens for hosts. Written by `berth-hostagent join`.\n[bus]\nrequests = {}\n", quoted(requests));
}

Result<void> refuse_other_name(const std::string& state, const std::string& name) {
    if (::access((state + "/host.toml").c_str(), F_OK) != 0) return {};
    const auto file = TRY(Config::load(state + "/host.toml"));
    const auto known = file.find("host", "id");
    if (!known || known->value == name) return {};
    return fail(ErrorKind::conflict, "{0} is the folder of host {1}: a machine has one name. Join as --name {1}, or with another --state", state, known->value);
}

}  // namespace

Result<Joined> join(const JoinFlags& flags) {
    const auto url = flags.url.ends_with('/') ? flags.url.substr(0, flags.url.size() - 1) : flags.url;
    const auto where = TRY(read_url(url));
    const auto token = TRY(token_of(flags));
    if (url.starts_with("http:") && !http::is_loopback(url)) {
        log_warn("join.in_clear_text", {{"why", "whoever sits between this machine and " + url + " can take its place: use https but in a network that you trust"}});
    }
    const auto name = flags.name.empty() ? label_of(os::machine_name()) : flags.name;
    const auto given = flags.state.empty() ? usual_folder() : flags.state;
    if (given.empty()) return fail(ErrorKind::invalid, "no place for this host's folder: give --state DIR, or set HOME");
    const auto folder = TRY(HostFolder::take(given));   // no agent serves from it meanwhile
    const auto& state = folder->path();
    TRY(refuse_other_name(state, name));
    const auto own = TRY(os::address_toward(where.host, where.port));
    const auto pair = TRY(bus::mint_key(state + "/keys", name, Role::host));

    Json body = {{"name", name}, {"public_key", pair.public_key}, {"incarnation", TRY(folder->incarnation()).value},
                 {"clock", to_rfc3339(RealClock{}.now())}};
    if (!flags.pool.empty()) body["pool"] = flags.pool;
    http::Request request{.method = "POST", .url = url + "/v1/enrol", .bearer = token, .content_type = "application/json", .body = body.dump()};
    request.ca_file = flags.ca_file;
    request.deadline = ask_deadline;
    request.body_bytes_max = answer_bytes_max;
    const auto answer = TRY(read_answer(ask_in_time(request, flags.wait), url));

    Joined joined{.url = url, .token = token, .ca_file = flags.ca_file};
    auto& to = joined.flags;
    to.state = state;
    to.host_id = name;
    to.pool = answer.value("pool", std::string{});
    to.homes = flags.homes.empty() ? state + "/homes" : flags.homes;
    to.engine = flags.engine;
    to.public_ip = flags.public_ip.empty() ? own : flags.public_ip;
    to.private_ip = flags.private_ip.empty() ? own : flags.private_ip;
    to.proxy_port = flags.proxy_port;
    to.slots = flags.slots != 0 ? flags.slots : answer.value("slots", 1U);
    to.log_level = flags.log_level;
    to.config = state + "/berth.toml";
    to.bus = state + "/bus.toml";
    to.keys = state + "/keys";
    auto sets = flags.sets;
    // An address that others translate to this machine's is none to listen at.
    if (!os::is_own_address(to.public_ip)) sets.insert(sets.begin(), "proxy.listen_address=" + own);
    const auto broker = answer.value("broker", Json::object());
    TRY(os::write_file(to.config, TRY(settings_text(answer.value("settings", Json::object()), sets))));
    TRY(bus::keep_broker_key(to.keys, broker.value("public_key", std::string{})));
    TRY(os::write_file(to.bus, bus_text(broker.value("requests", std::string{})), os::mode_of_notices));
    TRY(os::write_file(state + "/host.toml", host_text(to), os::mode_of_notices));   // last: it says that all is there
    log_info("host.joined", {{"host", name}, {"pool", to.pool}, {"broker", broker.value("requests", std::string{})}, {"folder", state},
                             {"public_ip", to.public_ip}, {"proxy_port", to.proxy_port}});
    return joined;
}

Result<Flags> with_host_file(Flags flags) {
    const auto path = flags.state + "/host.toml";
    if (!flags.host_id.empty() || ::access(path.c_str(), F_OK) != 0) return flags;
    const auto file = TRY(Config::load(path));
    Result<void> outcome;
    const auto text = [&](std::string_view key, std::string& to) {
        const auto setting = file.find("host", key);
        if (setting && to.empty()) to = setting->value;
    };
    const auto number = [&](std::string_view key, std::uint32_t& to) {
        const auto setting = file.find("host", key);
        std::int64_t value = 0;
        if (!setting || !outcome) return;
        outcome = read_value(*setting, key, value);
        if (outcome) to = static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, UINT32_MAX));
    };
    flags.pool.clear();
    text("id", flags.host_id);
    text("pool", flags.pool);
    text("homes", flags.homes);
    text("engine", flags.engine);
    text("public_ip", flags.public_ip);
    text("private_ip", flags.private_ip);
    if (flags.proxy_port == 0) number("proxy_port", flags.proxy_port);
    if (flags.slots == Flags{}.slots) number("slots", flags.slots);
    TRY(std::move(outcome));
    if (flags.config.empty()) flags.config = flags.state + "/berth.toml";
    if (flags.bus.empty()) flags.bus = flags.state + "/bus.toml";
    if (flags.keys.empty()) flags.keys = flags.state + "/keys";
    return flags;
}

// ---- what became of it

JoinWatch::JoinWatch(Joined joined) : joined_(std::move(joined)), thread_([this] { look(); }) {}

JoinWatch::~JoinWatch() {
    ending_ = true;
    thread_.join();
}

void JoinWatch::look() {
    const RealClock clock;
    const auto until = clock.now() + looks_within;
    bool registered = false;
    while (!ending_ && clock.now() < until) {
        http::Request request{.url = joined_.url + "/v1/enrol/" + joined_.flags.host_id, .bearer = joined_.token};
        request.ca_file = joined_.ca_file;
        request.deadline = look_deadline;
        request.body_bytes_max = answer_bytes_max;
        const auto answer = read_answer(http::ask(std::move(request)), joined_.url);
        if (answer && answer->value("registered", false) && !registered) {
            registered = true;
            log_info("host.known", {{"host", joined_.flags.host_id}, {"pool", answer->value("pool", std::string{})}});
        }
        const auto reach = answer ? answer->value("reach", Json{}) : Json{};
        if (reach.is_object() && reach.value("ok", false)) return log_info("host.reached", {{"public_ip", joined_.flags.public_ip}});
        if (reach.is_object()) return log_warn("host.not_reached", {{"why", reach.value("why", std::string{})}});
        for (Duration waited{0}; waited < look_again && !ending_; waited += look_again / 10) std::this_thread::sleep_for(look_again / 10);
    }
    if (!ending_ && !registered) log_warn("host.not_known", {{"why", fmt::format("after {} the control plane has not registered it; the lines above say why", to_text(looks_within))}});
}

}  // namespace berth::hostagent
