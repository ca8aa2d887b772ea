// SPDX-License-Identifier: Apache-2.0
// A provider as the scaler's loop sees it: an edge. What is asked for is done later, in order, and each
// outcome comes back once, on the loop's thread. The real one (worker.hpp) has a thread that a blocking
// Provider may hold; the simulated one (tests/sim/sim_provider.hpp) has a world's clock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "scaler/step.hpp"

namespace berth::scaler {

class ProviderCalls {
public:
    struct Handlers {
        std::function<void(ProviderSnapshot)> on_listing;
        std::function<void(ProviderReport)> on_report;     // before the listing that it came with
        std::function<void(CallAnswered)> on_answer;
    };
    virtual ~ProviderCalls() = default;

    /// At most as many as the core has open at once ([scaler] calls_open_max).
    virtual void call(Call wanted) = 0;
    /// Soon; one that waits already is enough. One that fails gives nothing: the next one may.
    virtual void list() = 0;
    /// How long the provider has been busy with one and the same thing.
    virtual Duration busy_for() const = 0;
    /// Takes nothing more. False when a call is still under way after that time: then only the end
    /// of the process ends it, which every provider must bear.
    virtual bool stop(Duration wait) = 0;
};

using OpenProvider = std::function<std::unique_ptr<ProviderCalls>(ProviderCalls::Handlers)>;
/// By the name that a pool gives as its provider.
using Providers = std::map<std::string, OpenProvider>;

}  // namespace berth::scaler
