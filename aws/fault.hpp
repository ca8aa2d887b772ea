// SPDX-License-Identifier: Apache-2.0
// Why a call of Amazon's did not work, in the few classes that a caller treats differently, and in one
// line that names the way out.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::aws {

BERTH_ENUM(FaultClass,
           throttle,       // too many calls: later
           contention,     // something else is going on there: later
           permission,     // the credentials are wrong, or may not do this
           quota,          // the account may not have more
           capacity,       // Amazon has no more of this here and now
           configuration,  // the request names what cannot be
           missing,        // what it names is not there
           skew,           // this machine's clock is wrong
           unreachable,    // no answer
           broken)         // an answer that is none, or their own failure

struct Fault {
    FaultClass kind = FaultClass::broken;
    std::string code;                     // Amazon's own: "RequestLimitExceeded"; empty without an answer
    std::string text;                     // what was tried, what came, what to do
    bool perhaps_done = false;            // the call may have had its effect all the same
    BERTH_FIELDS(Fault, kind, code, text, perhaps_done)
};

template <class T>
using Called = tl::expected<T, Fault>;

/// By Amazon's code, and its HTTP status where the code is not known.
FaultClass class_of(std::string_view code, std::string_view message, long status);

/// One scaling activity's or instance's own words, of which no code is given: "You have requested more
/// vCPU capacity than your current vCPU limit …".
FaultClass class_of_words(std::string_view words);

/// What a person does about it; `action` is the IAM action ("autoscaling:SetDesiredCapacity").
std::string way_out(FaultClass kind, std::string_view action, std::string_view code);

/// The fault of an answer that is no 2xx; both shapes of an error's XML are read, and anything else is `broken`.
Fault fault_of(std::string_view action, long status, std::string_view body);

/// As the rest of berth tells it.
Error to_error(const Fault& fault);
/// And back: what was found out before any call.
tl::unexpected<Fault> refused(const Error& error);

}  // namespace berth::aws

namespace berth::detail {
// TRY() takes a Called<T> where one is returned.
template <class T>
T take(aws::Called<T>&& called) {
    return std::move(*called);
}
inline void take(aws::Called<void>&&) {}
}  // namespace berth::detail
