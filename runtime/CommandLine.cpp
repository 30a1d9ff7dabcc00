// SPDX-License-Identifier: Apache-2.0
// Takes command lines apart.
#include "runtime/CommandLine.h"
#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace attn {

CommandLine::CommandLine(int count, char **words, std::vector<OptionSpec> options) : known(std::move(options)) {
  std::vector<std::string> faults;
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    if (word.size() < 2 || word[0] != '-') {
      plain.push_back(word);
      continue;
    }
    size_t sign = word.find('=');
    std::string name = word.substr(0, sign);
    auto option = std::find_if(known.begin(), known.end(), [&](const OptionSpec &spec) { return spec.name == name; });
    if (option == known.end()) {
      faults.push_back(fmt::format("'{}' is no option: see --help", name));
    } else if (option->value.empty()) {
      given[name].push_back("");
      if (sign != std::string::npos)
        faults.push_back(fmt::format("{} expects no value, got '{}'", name, word.substr(sign + 1)));
    } else if (sign != std::string::npos) {
      given[name].push_back(word.substr(sign + 1));
    } else if (++i < count) {
      given[name].push_back(words[i]);
    } else {
      faults.push_back(fmt::format("{} expects {}, got the end of the line", name, option->value));
    }
  }
  if (!faults.empty())
    throw Error(std::move(faults));
}

std::string CommandLine::value(std::string_view name, std::string_view otherwise) const {
  auto found = given.find(name);
  return found == given.end() ? std::string(otherwise) : found->second.back();
}

std::map<std::string, std::string> CommandLine::pairs(std::string_view name, bool list) const {
  std::map<std::string, std::string> result;
  std::vector<std::string> faults;
  auto take = [&](std::string_view text) {
    size_t sign = text.find('=');
    if (sign == 0 || sign == std::string_view::npos || sign + 1 == text.size())
      faults.push_back(fmt::format("{} expects NAME=VALUE, got '{}'", name, text));
    else if (!result.emplace(text.substr(0, sign), text.substr(sign + 1)).second)
      faults.push_back(fmt::format("{} gives '{}' twice", name, text.substr(0, sign)));
  };
  auto found = given.find(name);
  for (const std::string &whole : found == given.end() ? std::vector<std::string>() : found->second) {
    std::string_view rest = whole;
    for (size_t comma = rest.find(','); list && comma != std::string_view::npos; comma = rest.find(',')) {
      take(rest.substr(0, comma));
      rest.remove_prefix(comma + 1);
    }
    take(rest);
  }
  if (!faults.empty())
    throw Error(std::move(faults));
  return result;
}

std::map<std::string, int64_t> CommandLine::numberPairs(std::string_view name) const {
  std::map<std::string, int64_t> result;
  std::vector<std::string> faults;
  for (const auto &[key, text] : pairs(name, true)) {
    try {
      result[key] = wholeNumber(text, fmt::format("{} {}", name, key), 0);
    } catch (const Error &error) {
      faults.push_back(error.what());
    }
  }
  if (!faults.empty())
    throw Error(std::move(faults));
  return result;
}

int64_t CommandLine::number(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const {
  return has(name) ? wholeNumber(value(name), name, least, most) : otherwise;
}

std::string CommandLine::help() const {
  std::string text;
  for (const OptionSpec &option : known)
    text += fmt::format("  {:<32} {}\n", fmt::format("{} {}", option.name, option.value), option.help);
  return text;
}

int64_t wholeNumber(std::string_view text, std::string_view what, int64_t least, int64_t most) {
  int64_t number = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || code != std::errc() || end != text.data() + text.size() || number < least || number > most)
    throw Error(most == INT64_MAX
                    ? fmt::format("{} expects a whole number{}, got '{}'", what,
                                  least < 0 ? "" : fmt::format(" from {}", least), text)
                    : fmt::format("{} expects a whole number from {} to {}, got '{}'", what, least, most, text));
  return number;
}

int runTool(const char *tool, int (*body)(int, char **), int count, char **words) {
  try {
    return body(count, words);
  } catch (const Error &error) {
    for (const std::string &fault : error.faults())
      fmt::print(stderr, "{}: error: {}\n", tool, fault);
  } catch (const std::bad_alloc &) {
    fmt::print(stderr, "{}: error: there is not enough memory for tensors of this size\n", tool);
  }
  return 2;
}

} // namespace attn
