// SPDX-License-Identifier: Apache-2.0
// CURVE keys in a folder (0700), one file per key (0600), and who is known to the broker.
//
//   <dir>/<name>.key        "<z85 public> <z85 secret>"             read by its owner only
//   <dir>/broker.pub        the broker's public key                 read by every peer
//   <dir>/peers/<name>      "<role> <z85 public>"                   read by the broker; one file per
//                           peer, so that enrolling is an atomic rename and revoking an unlink
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "bus/peer.hpp"

namespace berth::bus {

struct KeyPair {
    std::string public_key;   // 40 characters of Z85
    std::string secret_key;   // never logged
};

/// Makes the key pair and its peer file; returns the existing pair when the name has one with the
/// same role (conflict when the role differs).
Result<KeyPair> mint_key(const std::string& dir, const std::string& name, Role role);
Result<KeyPair> load_key(const std::string& dir, const std::string& name);
/// Admits a key that was made on another machine, for that name and role alone; true when it was not known. `conflict`
/// when the name has another key or role, or the key another name.
Result<bool> enrol_key(const std::string& dir, const std::string& name, Role role, const std::string& public_key);
/// On a machine without a broker: whom its peers trust.
Result<void> keep_broker_key(const std::string& dir, const std::string& public_key);
Result<std::string> load_broker_key(const std::string& dir);
Result<void> revoke_key(const std::string& dir, const std::string& name);
/// All known peers by public key. A damaged file is an error that names it.
Result<std::map<std::string, Peer>> load_peers(const std::string& dir);

}  // namespace berth::bus
