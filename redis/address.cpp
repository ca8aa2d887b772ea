// SPDX-License-Identifier: Apache-2.0
#include "redis/address.hpp"

#include <algorithm>
#include <charconv>

namespace berth::redis {

namespace {

constexpr std::size_t prefix_max = 64;
constexpr std::string_view over_tcp = "redis://", over_socket = "redis+unix://", query = "?prefix=";

template <class N>
bool read_number(std::string_view text, N& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

bool is_prefix(std::string_view text) {
    return !text.empty() && text.size() <= prefix_max &&
           std::none_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~' || c == '{' || c == '}' || c == ':' || c == '/'; });
}

Result<Address> parse_address(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return fail(ErrorKind::invalid, "'{}': {}; it is redis://HOST:PORT/DATABASE or redis+unix:///SOCKET, with ?prefix=NAME if need be", text, why);
    };
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        return fail(ErrorKind::invalid, "'redis://…{}': a password does not belong into an address, put it into a file (password_file)", text.substr(at));
    }
    Address address;
    auto rest = text;
    if (const auto question = rest.find('?'); question != std::string_view::npos) {
        const auto given = rest.substr(question);
        if (!given.starts_with(query) || !is_prefix(given.substr(query.size()))) return bad("after ? comes prefix=NAME, without spaces, colons, slashes or braces");
        address.prefix = std::string{given.substr(query.size())};
        rest = rest.substr(0, question);
    }
    if (rest.starts_with(over_socket)) {
        address.place.socket = std::string{rest.substr(over_socket.size())};
        if (!address.place.socket.starts_with('/')) return bad("the socket's path is absolute");
        address.place.name = std::string{text};
        return address;
    }
    if (!rest.starts_with(over_tcp)) return bad("it is no address of Redis");
    rest.remove_prefix(over_tcp.size());
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        if (const auto number = rest.substr(slash + 1); !number.empty() && !read_number(number, address.place.database)) return bad("the database is a number");
        rest = rest.substr(0, slash);
    }
    if (const auto colon = rest.rfind(':'); colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
        if (!read_number(rest.substr(colon + 1), address.place.port) || address.place.port == 0) return bad("the port is a number");
        rest = rest.substr(0, colon);
    }
    if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
    if (rest.empty()) return bad("no host");
    address.place.host = std::string{rest};
    address.place.name = fmt::format("redis://{}:{}/{}{}", address.place.host, address.place.port, address.place.database,
                                     address.prefix.empty() ? "" : std::string{query} + address.prefix);
    return address;
}

}  // namespace berth::redis
