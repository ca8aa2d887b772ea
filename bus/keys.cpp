// SPDX-License-Identifier: Apache-2.0
#include "bus/keys.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/rng.hpp"
#include "os/files.hpp"

namespace berth::bus {

namespace {

constexpr std::size_t z85_size = 40;
constexpr std::size_t peers_max = 65'536;

std::string why() { return std::strerror(errno); }

std::string key_file(const std::string& dir, const std::string& name) { return fmt::format("{}/{}.key", dir, name); }
std::string broker_file(const std::string& dir) { return dir + "/broker.pub"; }
std::string peers_folder(const std::string& dir) { return dir + "/peers"; }
std::string peer_file(const std::string& dir, const std::string& name) {
    return fmt::format("{}/peers/{}", dir, name);
}

bool is_label(std::string_view name) {
    if (name.empty() || name.size() > 64) return false;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return true;
}

Result<void> check_label(std::string_view name) {
    if (is_label(name)) return {};
    return fail(ErrorKind::invalid, "'{}' is no name of a peer: 1 to 64 of a-z, A-Z, 0-9 and '-'", name.substr(0, 80));
}

// Not zero and valid Z85: the all-zero secret key is what libzmq uses when none is set.
bool is_z85_key(const std::string& text) {
    std::array<std::uint8_t, 32> bytes{};
    if (text.size() != z85_size || zmq_z85_decode(bytes.data(), text.c_str()) == nullptr) return false;
    return bytes != std::array<std::uint8_t, 32>{};
}

Result<void> make_folder(const std::string& path) {
    std::error_code code;
    std::filesystem::create_directories(path, code);
    if (code) return fail(ErrorKind::unavailable, "cannot make the folder {}: {}", path, code.message());
    if (::chmod(path.c_str(), 0700) != 0) return fail(ErrorKind::unavailable, "cannot chmod {}: {}", path, why());
    return {};
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : text) {
        if (c != ' ' && c != '\n') {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) words.push_back(std::move(word));
    return words;
}

struct PeerLine {
    Role role = Role::client;
    std::string public_key;
};

Result<PeerLine> read_peer(const std::string& path) {
    const auto words = words_of(TRY(os::read_file(path)));
    const auto role = words.size() == 2 ? enum_from<Role>(words[0]) : std::nullopt;
    if (!role || *role == Role::broker || !is_z85_key(words[1])) {
        return fail(ErrorKind::corrupt, "{} is not '<role> <public key>': remove it and enrol the peer again", path);
    }
    return PeerLine{*role, words[1]};
}

Result<void> check_role(const std::string& dir, const std::string& name, Role role) {
    if ((name == "broker") != (role == Role::broker)) {
        return fail(ErrorKind::conflict, "the name 'broker' and the role broker belong together, not '{}' and {}", name,
                    to_string(role));
    }
    const auto known = role == Role::broker ? Result<PeerLine>{PeerLine{role, {}}} : read_peer(peer_file(dir, name));
    if (!known) return known.error().kind == ErrorKind::not_found ? Result<void>{} : fail(known.error());
    if (known->role == role) return {};
    return fail(ErrorKind::conflict, "{} is enrolled as {}, not as {}: revoke it first", name, to_string(known->role),
                to_string(role));
}

}  // namespace

Result<KeyPair> mint_key(const std::string& dir, const std::string& name, Role role) {
    TRY(check_label(name));
    TRY(make_folder(dir));
    TRY(make_folder(peers_folder(dir)));
    TRY(check_role(dir, name, role));
    auto pair = load_key(dir, name);
    if (!pair && pair.error().kind != ErrorKind::not_found) return pair;
    if (!pair) {
        std::array<char, z85_size + 1> open_half{};
        std::array<char, z85_size + 1> secret_half{};
        if (zmq_curve_keypair(open_half.data(), secret_half.data()) != 0) {
            return fail(ErrorKind::internal, "this libzmq makes no CURVE keys: install one built with it");
        }
        pair = KeyPair{open_half.data(), secret_half.data()};
        TRY(os::write_file(key_file(dir, name), fmt::format("{} {}\n", pair->public_key, pair->secret_key)));
    }
    // The key file comes first: after a crash in between, minting again finds it and goes on here.
    if (role == Role::broker) {
        TRY(os::write_file(broker_file(dir), pair->public_key + "\n"));
    } else if (!read_peer(peer_file(dir, name))) {
        TRY(os::write_file(peer_file(dir, name), fmt::format("{} {}\n", to_string(role), pair->public_key)));
    }
    return pair;
}

Result<bool> enrol_key(const std::string& dir, const std::string& name, Role role, const std::string& public_key) {
    TRY(check_label(name));
    if (!is_z85_key(public_key)) return fail(ErrorKind::invalid, "the public key of {} is not 40 characters of Z85", name);
    TRY(check_role(dir, name, role));
    // One key under two names would make the whole book unreadable.
    for (const auto& [key, peer] : TRY(load_peers(dir))) {
        if (key == public_key && peer.name == name) return false;
        if (key == public_key) return fail(ErrorKind::conflict, "the key of {} is enrolled already, as {}", name, peer.name);
        if (peer.name == name) return fail(ErrorKind::conflict, "{} is enrolled with another key", name);
    }
    TRY(os::write_file(peer_file(dir, name), fmt::format("{} {}\n", to_string(role), public_key)));
    return true;
}

Result<void> keep_broker_key(const std::string& dir, const std::string& public_key) {
    if (!is_z85_key(public_key)) return fail(ErrorKind::invalid, "the broker's key is not 40 characters of Z85");
    return os::write_file(broker_file(dir), public_key + "\n");
}

Result<KeyPair> load_key(const std::string& dir, const std::string& name) {
    TRY(check_label(name));
    const auto path = key_file(dir, name);
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0 && (about.st_mode & 077) != 0) {
        return fail(ErrorKind::denied, "{} may be read by others: chmod 600 it, or revoke it and mint another", path);
    }
    const auto words = words_of(TRY(os::read_file(path)));
    if (words.size() != 2 || !is_z85_key(words[0]) || !is_z85_key(words[1])) {
        return fail(ErrorKind::corrupt, "{} is not '<public key> <secret key>': revoke {} and mint its key again", path,
                    name);
    }
    std::array<char, z85_size + 1> derived{};
    if (zmq_curve_public(derived.data(), words[1].c_str()) != 0 || words[0] != derived.data()) {
        return fail(ErrorKind::corrupt, "the halves in {} do not belong together: revoke {} and mint its key again",
                    path, name);
    }
    return KeyPair{words[0], words[1]};
}

Result<std::string> load_broker_key(const std::string& dir) {
    const auto words = words_of(TRY(os::read_file(broker_file(dir))));
    if (words.size() != 1 || !is_z85_key(words[0])) {
        return fail(ErrorKind::corrupt, "{} is not one public key", broker_file(dir));
    }
    return words[0];
}

Result<void> revoke_key(const std::string& dir, const std::string& name) {
    TRY(check_label(name));
    if (name == "broker") return fail(ErrorKind::invalid, "the broker's own key can not be revoked");
    if (::unlink(peer_file(dir, name).c_str()) != 0) {
        return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable, "cannot revoke {}: {}", name,
                    why());
    }
    ::unlink(key_file(dir, name).c_str());  // absent when the peer minted its key elsewhere
    return {};
}

Result<std::map<std::string, Peer>> load_peers(const std::string& dir) {
    std::map<std::string, Peer> peers;
    std::error_code code;
    auto entries = std::filesystem::directory_iterator{peers_folder(dir), code};
    if (code) return fail(ErrorKind::unavailable, "cannot list {}: {}", peers_folder(dir), code.message());
    for (; entries != std::filesystem::directory_iterator{}; entries.increment(code)) {
        const auto name = entries->path().filename().string();
        if (name.starts_with('.')) continue;  // one that is being written
        if (!is_label(name)) {
            return fail(ErrorKind::corrupt, "{} is not named like a peer", entries->path().string());
        }
        const auto line = read_peer(entries->path().string());
        if (!line && line.error().kind == ErrorKind::not_found) continue;  // revoked while we look
        if (!line) return fail(line.error());
        if (!peers.emplace(line->public_key, Peer{name, line->role}).second) {
            return fail(ErrorKind::corrupt, "{} has the key of another peer", entries->path().string());
        }
        if (peers.size() > peers_max) return fail(ErrorKind::limit, "more than {} peers in {}", peers_max, dir);
    }
    if (code) return fail(ErrorKind::unavailable, "cannot list {}: {}", peers_folder(dir), code.message());
    return peers;
}

}  // namespace berth::bus
