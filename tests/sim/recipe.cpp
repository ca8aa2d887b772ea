// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/recipe.hpp"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

namespace berth::sim {

namespace {

Result<std::uint64_t> read_number(const std::string& word, const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return fail(ErrorKind::invalid, "'{}' needs a number after '='", word);
    return number;
}

}  // namespace

Result<Recipe> read_recipe(const std::string& line) {
    Recipe recipe;
    std::istringstream words(line);
    for (std::string word; words >> word && word[0] != '#';) {
        const auto equals = word.find('=');
        const auto name = equals == std::string::npos ? "seed" : word.substr(0, equals);
        const auto value = equals == std::string::npos ? word : word.substr(equals + 1);
        if (name == "only") {
            recipe.only.emplace();
            std::istringstream numbers(value);
            for (std::string number; std::getline(numbers, number, ',');) recipe.only->insert(TRY(read_number(word, number)));
            continue;
        }
        if (name == "without") {
            std::istringstream kinds(value);
            for (std::string kind; std::getline(kinds, kind, ',');) {
                if (Faults none; !switch_off(none, kind)) return fail(ErrorKind::invalid, "'{}' is no kind of fault (faults.hpp)", kind);
                recipe.without.insert(kind);
            }
            continue;
        }
        if (word == "homes=shared") {
            recipe.shared_homes = true;
            continue;
        }
        const auto number = TRY(read_number(word, value));
        if (name == "seed") recipe.seed = number;
        else if (name == "hosts") recipe.hosts = static_cast<std::uint32_t>(number);
        else if (name == "users") recipe.users = static_cast<std::uint32_t>(number);
        else if (name == "safety_ms") recipe.safety = Duration{static_cast<std::int64_t>(number)};
        else return fail(ErrorKind::invalid, "'{}' is not one of seed, hosts, users, safety_ms, without, only", name);
    }
    return recipe;
}

std::string text_of(const Recipe& recipe) {
    auto text = fmt::format("seed={}", recipe.seed);
    if (recipe.hosts) text += fmt::format(" hosts={}", *recipe.hosts);
    if (recipe.users) text += fmt::format(" users={}", *recipe.users);
    if (recipe.safety) text += fmt::format(" safety_ms={}", recipe.safety->count());
    if (recipe.shared_homes) text += " homes=shared";
    std::string kinds;
    for (const auto& kind : recipe.without) kinds += (kinds.empty() ? " without=" : ",") + kind;
    text += kinds;
    if (recipe.only) {
        std::string numbers;
        for (const auto number : *recipe.only) numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", number);
        text += " only=" + numbers;
    }
    return text;
}

Options options_of(const Recipe& recipe) {
    auto options = choose_options(recipe.seed);
    if (recipe.hosts) options.hosts = *recipe.hosts;
    if (recipe.users) options.users = *recipe.users;
    if (recipe.safety) options.safety = *recipe.safety;
    if (recipe.shared_homes) {
        options.pool.home_place.reset();
        options.pool.home_repository.reset();
        options.pool.home_save_every_ms.reset();
    }
    for (const auto& kind : recipe.without) switch_off(options.faults, kind);
    options.only = recipe.only;
    return options;
}

}  // namespace berth::sim
