// SPDX-License-Identifier: Apache-2.0
// One host around a real berth-proxy: a folder, the host's memory, two containers, and tokens.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "hostkv/local_kv.hpp"
#include "hostkv/token.hpp"
#include "tests/integration/proxy/container.hpp"
#include "tests/integration/proxy/visitor.hpp"

namespace berth::proxy_tests {

class ProxyTest : public testing::Test {
protected:
    ProxyTest();
    ~ProxyTest() override;

    /// `config` is the text of [proxy]; waits until it serves.
    void start(const std::string& config = "");
    pid_t spawn(const std::string& config);
    void kill_proxy(int signal) const;
    int wait_for_end();                       // the exit code; 128 + signal when killed
    std::string log() const;
    std::size_t resident_bytes() const;       // of the proxy
    std::size_t open_descriptors() const;
    std::size_t settled_descriptors() const;  // once their number has not changed for a moment

    /// Ada's w-1 at epoch 7 in container one, Bob's w-2 at epoch 3 in container two.
    void give_routes();
    void put(const RouteRecord& route);
    RouteRecord route_of(const std::string& workspace) const;

    std::string host(const std::string& workspace) const;          // "w-1.localhost:1234"
    std::string origin(const std::string& workspace) const;
    TokenClaims claims(TokenPurpose purpose, const std::string& workspace) const;
    std::string token(const TokenClaims& claims) const { return mint_token(claims, kv().secret()); }
    std::string cookie(const TokenClaims& claims) const { return "berth-" + claims.workspace.value + "=" + token(claims); }
    std::string cookie(const std::string& workspace) const {
        return cookie(claims(TokenPurpose::session, workspace));
    }
    /// Of a link of Ada's that has just been opened: noted as used when this is first shown.
    std::string session_of_a_link() const;
    Visitor visitor() const { return Visitor{port_}; }
    Visitor websocket(const std::string& path = "/ws") const;      // Ada's, after the 101
    LocalKv& kv() const { return *kv_; }
    Instant now() const { return clock_.now(); }
    /// Polls; false when it does not come true in time.
    static bool eventually(const std::function<bool()>& what, Duration wait = patience);

    Container one;
    Container two;
    std::string dir;
    std::uint16_t port_ = 0;

private:
    RealClock clock_;
    std::unique_ptr<LocalKv> kv_;
    pid_t pid_ = -1;
};

}  // namespace berth::proxy_tests
