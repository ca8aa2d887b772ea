// SPDX-License-Identifier: Apache-2.0
#include "proxy/head.hpp"

#include <algorithm>

#include "proxy/names.hpp"
#include "proxy/policy.hpp"

namespace berth::proxy {

namespace {

constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t length_digits_max = 18;

bool is_token_char(char letter) {
    if ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
        (letter >= '0' && letter <= '9')) {
        return true;
    }
    return std::string_view{"!#$%&'*+-.^_`|~"}.find(letter) != std::string_view::npos;
}
bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}
bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_visible(char letter) { return letter > ' ' && letter < '\x7f'; }
bool is_value_char(char letter) {
    const auto byte = static_cast<unsigned char>(letter);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

struct Seen {
    int hosts = 0;
    int lengths = 0;
    int codings = 0;
    int upgrades = 0;
    bool old_version = false;
};

std::optional<std::string_view> fault_of_line(std::string_view line, Seen& seen) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return "the request line has not three parts";
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (!is_token(method) || method.size() > method_bytes_max) return "the method is no token";
    if (target.empty() || target.size() > target_bytes_max) return "the target is empty or too long";
    if (!std::all_of(target.begin(), target.end(), is_visible)) {
        return "the target holds a byte that has to be escaped";
    }
    if (target.find('#') != std::string_view::npos) return "the target holds a fragment";
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return "the version is neither HTTP/1.1 nor HTTP/1.0";
    seen.old_version = version == "HTTP/1.0";
    return std::nullopt;
}

std::optional<std::string_view> fault_of_field(std::string_view line, Seen& seen) {
    if (line.front() == ' ' || line.front() == '\t') return "a field is folded over two lines";
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return "a field has no colon";
    if (!is_token(line.substr(0, colon))) return "a field's name is no token";
    const auto value = trim(line.substr(colon + 1));
    if (!std::all_of(value.begin(), value.end(), is_value_char)) {
        return "a field's value holds a control character";
    }
    auto name = to_lower(line.substr(0, colon));
    const bool spelled = name.find('_') == std::string::npos;
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == "host" || name == "content-length" || name == "transfer-encoding") {
        if (!spelled) return "a field that frames the request is spelled with an underscore";
    }
    if (name == "host") {
        ++seen.hosts;
        if (value.find_first_of(" \t,/@\\?#") != std::string_view::npos) return "Host is no host";
    }
    if (name == "content-length") {
        ++seen.lengths;
        if (value.empty() || value.size() > length_digits_max ||
            !std::all_of(value.begin(), value.end(), is_digit)) {
            return "Content-Length is no number";
        }
    }
    if (name == "transfer-encoding") {
        ++seen.codings;
        if (to_lower(value) != "chunked") return "Transfer-Encoding is other than chunked";
    }
    if (name == "expect" && to_lower(value) != "100-continue") return "Expect is other than 100-continue";
    if (name == "upgrade") ++seen.upgrades;
    if (name == "connection") {
        const auto options = to_lower(value);
        for (const std::string_view framing : {"content-length", "transfer-encoding", "host"}) {
            if (options.find(framing) != std::string::npos) {
                return "Connection names a field that frames the request";
            }
        }
    }
    return std::nullopt;
}

}  // namespace

Glimpse glimpse_of(std::string_view beginning) {
    Glimpse seen;
    for (bool first = true; !beginning.empty(); first = false) {
        const auto end = beginning.find("\r\n");
        const auto line = beginning.substr(0, end);
        beginning.remove_prefix(end == std::string_view::npos ? beginning.size() : end + 2);
        if (first) {
            const auto space = line.find(' ');
            const auto last = line.rfind(' ');
            if (space == std::string_view::npos || last == space) return {};
            seen.method = line.substr(0, space);
            seen.path = line.substr(space + 1, last - space - 1);
            if (!seen.path.starts_with('/')) seen.path = {};
            continue;
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const auto name = to_lower(line.substr(0, colon));
        const auto value = trim(line.substr(colon + 1));
        if (name == "host") seen.host = value;
        if (name == "cookie") seen.cookies = end == std::string_view::npos ? value.substr(0, value.rfind(';')) : value;
    }
    if (!std::all_of(seen.cookies.begin(), seen.cookies.end(), is_value_char)) seen.cookies = {};
    if (!std::all_of(seen.host.begin(), seen.host.end(), is_visible)) seen.host = {};
    return seen;
}

std::optional<std::string_view> fault_of_head(std::string_view head, std::size_t fields_max) {
    if (!head.ends_with("\r\n\r\n")) return "the head does not end";
    Seen seen;
    std::size_t lines = 0;
    for (;;) {
        const auto end = head.find("\r\n");
        const auto line = head.substr(0, end);
        head.remove_prefix(end + 2);
        if (line.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos) {
            return "a line ends in another way";
        }
        if (line.empty()) break;
        if (lines++ == 0) {
            if (const auto fault = fault_of_line(line, seen)) return fault;
            continue;
        }
        if (lines - 1 > fields_max) return "there are too many fields";
        if (const auto fault = fault_of_field(line, seen)) return fault;
    }
    if (lines == 0) return "the request line is missing";
    if (!head.empty()) return "the head ends twice";
    if (seen.hosts > 1) return "there is more than one Host";
    if (seen.hosts == 0 && !seen.old_version) return "there is no Host";
    if (seen.lengths > 1) return "there is more than one Content-Length";
    if (seen.codings > 1) return "there is more than one Transfer-Encoding";
    if (seen.upgrades > 1) return "there is more than one Upgrade";
    if (seen.codings > 0 && seen.lengths > 0) return "there are both Content-Length and Transfer-Encoding";
    if (seen.codings > 0 && seen.old_version) return "HTTP/1.0 has no Transfer-Encoding";
    return std::nullopt;
}

}  // namespace berth::proxy
