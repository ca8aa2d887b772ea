// SPDX-License-Identifier: Apache-2.0
#include "aws/sts.hpp"

namespace berth::aws {

namespace {

Called<Credentials> credentials_of(const std::string& action, const Called<Answer>& answer, const Role& role) {
    if (!answer) return tl::make_unexpected(answer.error());
    const auto node = answer->result().child("Credentials");
    Credentials got{.access_key = text_of(node, "AccessKeyId"),
                    .secret_key = text_of(node, "SecretAccessKey"),
                    .session_token = text_of(node, "SessionToken"),
                    .expires_at = time_of(node, "Expiration"),
                    .origin = "role " + role.arn};
    if (!got.access_key.empty() && !got.secret_key.empty() && !got.session_token.empty() && got.expires_at) return got;
    return tl::make_unexpected(Fault{.kind = FaultClass::broken, .text = fmt::format("the answer of sts:{} for {} lacks credentials", action, role.arn)});
}

Parameters parameters_of(const Role& role) {
    Parameters parameters{{"RoleArn", role.arn}, {"RoleSessionName", role.session}, {"DurationSeconds", fmt::format("{}", role.lasts.count())}};
    if (!role.external_id.empty()) parameters.emplace_back("ExternalId", role.external_id);
    return parameters;
}

}  // namespace

Called<Credentials> assume_role(Client& service, const Role& role) {
    return credentials_of("AssumeRole", service.call("AssumeRole", parameters_of(role)), role);
}

Called<Credentials> assume_role(Client& service, const Role& role, const std::string& web_identity_token) {
    auto parameters = parameters_of(role);
    parameters.emplace_back("WebIdentityToken", web_identity_token);
    return credentials_of("AssumeRoleWithWebIdentity", service.call("AssumeRoleWithWebIdentity", parameters), role);
}

}  // namespace berth::aws
