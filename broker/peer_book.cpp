// SPDX-License-Identifier: Apache-2.0
#include "broker/peer_book.hpp"

#include <sys/stat.h>

#include <chrono>

namespace berth::broker {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

// When the folder last changed; a change in the same tick of the file system's clock can hide behind
// another, so one that is younger than a second counts as new.
std::int64_t changed_at(const std::string& dir) {
    struct stat about {};
    if (::stat((dir + "/peers").c_str(), &about) != 0) return -1;
    return about.st_mtim.tv_sec * second_ns + about.st_mtim.tv_nsec;
}

bool is_fresh(std::int64_t changed_ns) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto age = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - changed_ns;
    return age < second_ns;
}

}  // namespace

Result<std::unique_ptr<PeerBook>> PeerBook::open(const std::string& keys_dir) {
    std::unique_ptr<PeerBook> book{new PeerBook(keys_dir)};
    book->peers_ = std::make_shared<Peers>();
    TRY(book->refresh());
    return book;
}

std::shared_ptr<const PeerBook::Peers> PeerBook::peers() const {
    const std::lock_guard lock(guard_);
    return peers_;
}

std::optional<bus::Peer> PeerBook::find(const std::string& public_key) const {
    const auto known = peers();
    const auto found = known->find(public_key);
    if (found == known->end()) return std::nullopt;
    return found->second;
}

void PeerBook::bar(const std::string& public_key, Instant until) {
    const std::lock_guard lock(guard_);
    if (peers_->contains(public_key)) barred_[public_key] = until;
}

bool PeerBook::is_barred(const std::string& public_key, Instant now) const {
    const std::lock_guard lock(guard_);
    const auto found = barred_.find(public_key);
    return found != barred_.end() && now < found->second;
}

Result<std::vector<bus::Peer>> PeerBook::refresh() {
    const std::lock_guard lock(reading_);
    const auto changed = changed_at(dir_);
    if (changed < 0) return fail(ErrorKind::unavailable, "cannot read {}/peers", dir_);
    if (changed != changed_ns_) {
        auto read = std::make_shared<Peers>(TRY(bus::load_peers(dir_)));
        const auto before = peers();
        for (const auto& [key, peer] : *before) {
            const auto now = read->find(key);
            if (now == read->end() || now->second.name != peer.name || now->second.role != peer.role) {
                gone_.push_back(peer);
            }
        }
        const std::lock_guard swap(guard_);
        peers_ = std::move(read);
        changed_ns_ = is_fresh(changed) ? -1 : changed;
    }
    return std::exchange(gone_, {});
}

}  // namespace berth::broker
