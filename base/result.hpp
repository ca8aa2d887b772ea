// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. TRY(expr) yields the value or returns the Error to the caller.
#pragma once

#include <fmt/core.h>

#include <tl/expected.hpp>
#include <utility>

#include "base/error.hpp"

namespace berth {

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorKind::not_found, "no workspace {}; see `berth list`", id);`
template <class... Args>
tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> form, Args&&... args) {
    return tl::make_unexpected(Error{kind, fmt::format(form, std::forward<Args>(args)...)});
}

inline tl::unexpected<Error> fail(Error error) { return tl::make_unexpected(std::move(error)); }

}  // namespace berth

#define TRY(...)                                                               \
    __extension__({                                                            \
        auto try_result_ = (__VA_ARGS__);                                      \
        if (!try_result_) return ::tl::make_unexpected(std::move(try_result_).error()); \
        ::berth::detail::take(std::move(try_result_));                         \
    })

namespace berth::detail {
template <class T>
T take(Result<T>&& result) {
    return std::move(*result);
}
inline void take(Result<void>&&) {}
}  // namespace berth::detail
