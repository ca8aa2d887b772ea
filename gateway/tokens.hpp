// SPDX-License-Identifier: Apache-2.0
// Who may use the gateway. A token is 256 random bits that its owner keeps; <state>/tokens.json
// (0600) holds the SHA-256 of each, so that whoever reads the file cannot use it. The token of this
// machine's operator also stands as text in <state>/token (0600), where the command line finds it.
#pragma once

#include <string>
#include <string_view>

#include "gateway/token_table.hpp"

namespace berth::gateway {

/// Reads <state>/tokens.json; an empty table when there is none.
Result<TokenTable> load_tokens(const std::string& state);
/// Mint and revoke: read, change and replace the file, under a lock.
Result<MintedToken> mint_token(const std::string& state, const TokenWish& wish, Instant now);
Result<void> revoke_token(const std::string& state, std::string_view id);
/// A browser signs in: by a link, which is used up, or as whom `from` says (a token's entry; its id is the parent).
Result<MintedToken> open_session_by_link(const std::string& state, std::string_view link, const SessionTerms& terms, Instant now);
Result<MintedToken> open_session(const std::string& state, const TokenEntry& from, const SessionTerms& terms, Instant now);
Result<void> renew_session(const std::string& state, std::string_view id, Instant end);
/// Ends what lets that user in; `not_found` when there was nothing.
Result<std::size_t> end_user(const std::string& state, const UserId& user);
/// A machine enrolled by its token, which has a use less from then on; `limit` when it has none left.
Result<void> note_machine(const std::string& state, const Machine& machine);
Result<void> forget_machine(const std::string& state, const HostId& host);
/// The operator's token of this machine: minted into <state>/token when there is none; one that is
/// there is kept, and known to the gateway from then on.
Result<void> keep_operator_token(const std::string& state, Instant now);

}  // namespace berth::gateway
