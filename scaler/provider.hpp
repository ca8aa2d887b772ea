// SPDX-License-Identifier: Apache-2.0
// Where hosts come from. All calls block and are made on one worker thread per provider; results
// are posted to the loop. Implementations: providers/local; in tests the simulated one.
//
// What an implementation may do wrong, and the scaler must bear:
//   list      show old states, for minutes; miss instances (then `complete` must be false, unless it
//             does not know better); show what is long gone; fail
//   launch    succeed and yet answer with an error or never; bring an instance that dies at once
//   terminate answer before the instance is gone; be too late; fail though it is gone
// What none may do: make two instances of one launch id, give a reused name the same incarnation,
// or end an instance whose incarnation is not the one that was named.
#pragma once

#include <string>

#include "base/result.hpp"
#include "events/pool.hpp"

namespace berth::scaler {

struct ProviderError {
    LaunchFailure failure = LaunchFailure::lost;   // lost: the outcome is not known
    std::string text;
    BERTH_FIELDS(ProviderError, failure, text)
};
template <class T>
using Provided = tl::expected<T, ProviderError>;

BERTH_ENUM(Protection, off, on)

class Provider {
public:
    virtual ~Provider() = default;

    /// Everything that bears our cluster's mark, all pages of it.
    virtual Provided<ProviderSnapshot> list() = 0;
    /// One host of that pool, protected from scale-in (I18). The launch id is the client token: the
    /// same id again gives the same instance.
    virtual Provided<Instance> launch(const LaunchId& launch, const PoolDefined& pool) = 0;
    /// Ends this one life of this one instance, and lowers the desired number with it. What is not
    /// there is ended. Protection does not stand against it: it names its victim.
    virtual Provided<void> terminate(const std::string& instance, const HostIncarnation& incarnation) = 0;
    virtual Provided<void> protect(const std::string& instance, Protection protection) = 0;

    /// Called first of all and then every second, between other calls, for providers that look after
    /// their instances themselves. Must be short.
    virtual void tend() {}
};

}  // namespace berth::scaler
