// SPDX-License-Identifier: Apache-2.0
// The picture in a DynamoDB table, as a pool of machines: key instanceId, with an index on status, so that nobody has
// to scan for an idle one. Items that this projector wrote bear managedBy = berth; others are left alone.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "aws/chain.hpp"
#include "aws/json.hpp"
#include "base/clock.hpp"
#include "projector/policy.hpp"
#include "projector/sink.hpp"

namespace berth::projector {

class DynamoSink final : public Sink {
public:
    explicit DynamoSink(const Policy& policy);

    Result<std::vector<std::string>> keys() override;
    Result<void> write(const Write& wanted) override;
    /// All machines there, also those of others.
    Result<Picture> read_all();
    /// False: berth looks after that one, and it stays as it is.
    Result<bool> add_foreign(const std::string& key, const Fields& fields);
    /// Makes the table and its index; one that is there is left as it is.
    Result<std::string> init();

private:
    Result<void> connect();
    Result<void> check_key();
    Error error_of(const aws::Fault& fault) const;
    Result<void> scan(nlohmann::json body, const std::function<void(const nlohmann::json& item)>& take);
    Result<nlohmann::json> call(const std::string& action, const nlohmann::json& body);

    Policy policy_;
    RealClock clock_;
    aws::Chain chain_;
    std::unique_ptr<aws::JsonClient> client_;
};

}  // namespace berth::projector
