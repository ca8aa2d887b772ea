// SPDX-License-Identifier: Apache-2.0
// When sessions were last used. A token tells only when it was made: by itself it would end its user's
// work twelve hours later (field report 21). What is forgotten here is good for as long as its token says.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "hostkv/token.hpp"

namespace berth::proxy {

class Sessions {
public:
    explicit Sessions(Duration lifetime) : lifetime_(lifetime) {}

    /// A request or a live connection stands on it. Of more than sessions_max the longest unused is forgotten.
    void use(const std::string& id, Instant now);
    /// `lifetime` after its last use, and not before its token says so.
    Instant end_of(const TokenClaims& session) const;
    /// Half of its token's life is over: time for a new one.
    bool is_old(const TokenClaims& session, Instant now) const;
    void forget_ended(Instant now);

    /// One line "<id> <milliseconds>" each, for the next life of the process; what is no such line is passed over.
    std::string text() const;
    void read(std::string_view text);
    std::size_t size() const { return used_.size(); }

private:
    Duration lifetime_;
    std::map<std::string, Instant> used_;
};

}  // namespace berth::proxy
