// SPDX-License-Identifier: Apache-2.0
#include "base/outside_text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

namespace berth {

namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;

// No-break space, the zero-width ones, word joiner, byte order mark; NUL is what UTF-16 leaves.
constexpr std::array<std::string_view, 7> invisible{"\xC2\xA0", "\xE2\x80\x8B", "\xE2\x80\x8C", "\xE2\x80\x8D", "\xE2\x81\xA0", "\xEF\xBB\xBF", "\xE2\x80\xA8"};

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::string trimmed_outside(std::string_view text) {
    for (bool again = true; again;) {
        again = false;
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
        for (const auto mark : invisible) {
            if (text.starts_with(mark)) {
                text.remove_prefix(mark.size());
                again = true;
            }
            if (text.ends_with(mark)) {
                text.remove_suffix(mark.size());
                again = true;
            }
        }
    }
    return std::string{text};
}

std::string environment_text(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : trimmed_outside(value);
}

std::string first_line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    for (std::size_t read = 0; read < line_bytes_max && std::getline(file, line); read += line.size() + 1) {
        if (auto text = trimmed_outside(line); !text.empty()) return text;
    }
    return {};
}

Result<std::string> outside_word(std::string_view from, std::string_view text) {
    auto word = trimmed_outside(text);
    const auto odd = std::find_if(word.begin(), word.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7f; });
    if (odd == word.end()) return word;
    return fail(ErrorKind::invalid, "{}: character {} of it is a blank, a quote mark of a text program or another that can not be meant; "
                                    "set it again, plainly", from, odd - word.begin() + 1);
}

}  // namespace berth
