// SPDX-License-Identifier: Apache-2.0
// Where hosts come from. All calls block and are made on one worker thread per provider; results
// are posted to the loop. A pool names its provider; several may be there at once. What a pool's machines
// are made of stands in [pool.<name>.template], which only its provider reads and checks (at open()).
// Implementations: providers/local, providers/aws; in tests the simulated one.
//
// What an implementation may do wrong, and the scaler must bear:
//   list      show old states, for minutes; miss instances (then `complete` must be false, unless it
//             does not know better); show what is long gone; fail
//   launch    succeed and yet answer with an error or never; bring an instance that dies at once;
//             accept without knowing the instance yet, which a listing names later
//   terminate answer before the instance is gone; be too late; fail though it is gone
// What none may do: make two instances of one launch id, give a reused name the same incarnation,
// or end an instance whose incarnation is not the one that was named.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// What a provider knows beside its instances.
struct ProviderReport {
    std::string provider;
    std::vector<LaunchTrouble> troubles;  // of the last hour, oldest first
    std::vector<PoolAdvice> advice;       // of its last audit
};
struct Listed {
    ProviderSnapshot snapshot;
    ProviderReport report;
    Listed(ProviderSnapshot seen) : snapshot(std::move(seen)) { report.provider = snapshot.provider; }   // implicit: most know no more
};

/// Of one launch among several. Accepted without an instance: the provider knows it only later.
struct LaunchOutcome {
    LaunchId launch;
    std::optional<Instance> instance;
    std::optional<ProviderError> error;
};
/// Of one instance among several; no error: done.
struct InstanceOutcome {
    std::string instance;
    std::optional<ProviderError> error;
};

class Provider {
public:
    virtual ~Provider() = default;

    /// Everything that bears our cluster's mark, all pages of it.
    virtual Provided<Listed> list() = 0;
    /// A host of that pool for each launch, protected from scale-in (I18). The launch id is the client
    /// token: the same id again gives the same instance. An id that the answer lacks is `lost`.
    virtual std::vector<LaunchOutcome> launch(const std::vector<LaunchStarted>& launches, const PoolDefined& pool) = 0;
    /// Ends this one life of this one instance, and lowers the desired number with it. What is not
    /// there is ended. Protection does not stand against it: it names its victim.
    virtual Provided<void> terminate(const std::string& instance, const HostIncarnation& incarnation) = 0;
    virtual std::vector<InstanceOutcome> protect(const std::vector<std::string>& instances, Protection protection) = 0;
    /// Starts what is stopped, in the same life, and stops what runs; what is so already is done.
    virtual std::vector<InstanceOutcome> start(const std::vector<std::string>& instances) = 0;
    virtual std::vector<InstanceOutcome> stop(const std::vector<std::string>& instances) = 0;

    /// Called first of all and then every second, between other calls, for providers that look after
    /// their instances themselves. Must be short.
    virtual void tend() {}
};

}  // namespace berth::scaler

namespace berth::detail {
// TRY() takes a Provided<T> where one is returned.
template <class T>
T take(scaler::Provided<T>&& result) {
    return std::move(*result);
}
inline void take(scaler::Provided<void>&&) {}
}  // namespace berth::detail
