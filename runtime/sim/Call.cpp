// SPDX-License-Identifier: Apache-2.0
// Calls, and the functions that the system provides: vprintf and __assertfail.
#include "runtime/sim/Access.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <bit>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

/// A parameter of the call, from the caller's frame.
static uint64_t argument(Warp &w, unsigned lane, const CallSite &site, size_t index) {
  uint64_t value = 0;
  if (index >= site.arguments.size())
    return 0;
  const CallSite::Copy &copy = site.arguments[index];
  if (w.local.load(lane, w.local.base(lane) + copy.caller, copy.size, &value, w.checks()) && w.checks().poison)
    throw Fault{"poison-use",
                fmt::format("argument {} of '{}' depends on an uninitialised value", index + 1, site.builtin),
                {},
                int(lane)};
  return value;
}

template <class T> static T read(Warp &w, Actor actor, uint64_t address) {
  T value{};
  if (loadBytes(w, actor, Space::Generic, address, sizeof(T), &value, {}, false) && w.checks().poison)
    throw Fault{"poison-use", "what is printed depends on an uninitialised value", {}, int(actor.lane)};
  return value;
}

static std::string readString(Warp &w, Actor actor, uint64_t address) {
  std::string text;
  while (char c = read<char>(w, actor, address++))
    text += c;
  return text;
}

/// One conversion of the format: its length, and the value from the argument block.
static std::string convert(Warp &w, Actor actor, const std::string &spec, uint64_t block, uint32_t &offset) {
  char kind = spec.back(), buffer[128];
  auto next = [&](uint32_t size) {
    offset = (offset + size - 1) / size * size;
    uint64_t at = block + offset;
    offset += size;
    return at;
  };
  bool isLong = spec.find('l') != std::string::npos;
  switch (kind) {
  case 's':
    return fmt::format("{}", readString(w, actor, read<uint64_t>(w, actor, next(8))));
  case 'p':
    return fmt::format("{:#x}", read<uint64_t>(w, actor, next(8)));
  case 'f':
  case 'F':
  case 'e':
  case 'E':
  case 'g':
  case 'G':
  case 'a':
  case 'A':
    std::snprintf(buffer, sizeof buffer, spec.c_str(), read<double>(w, actor, next(8)));
    return buffer;
  case 'd':
  case 'i':
  case 'u':
  case 'x':
  case 'X':
  case 'o':
  case 'c':
    if (isLong)
      std::snprintf(buffer, sizeof buffer, spec.c_str(), read<unsigned long long>(w, actor, next(8)));
    else
      std::snprintf(buffer, sizeof buffer, spec.c_str(), read<uint32_t>(w, actor, next(4)));
    return buffer;
  default:
    return spec;
  }
}

static std::string formatted(Warp &w, Actor actor, const std::string &format, uint64_t block) {
  std::string text;
  uint32_t offset = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    size_t end = format.find_first_of("sdiuxXocfFeEgGaAp%", i + 1);
    if (end == std::string::npos)
      break;
    text += format[end] == '%' ? "%" : convert(w, actor, format.substr(i, end - i + 1), block, offset);
    i = end;
  }
  return text;
}

namespace control {

void call(Warp &w, const Op &op, Mask lanes) {
  const CallSite &site = w.context().module.calls[op.imm];
  if (site.builtin.empty()) {
    w.call(op, lanes);
    return;
  }
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    if (site.builtin == "__assertfail")
      throw Fault{"assert",
                  fmt::format("assertion '{}' fails ({}:{}, {})", readString(w, actor, argument(w, lane, site, 0)),
                              readString(w, actor, argument(w, lane, site, 1)), argument(w, lane, site, 2),
                              readString(w, actor, argument(w, lane, site, 3))),
                  {},
                  int(lane)};
    std::string text =
        formatted(w, actor, readString(w, actor, argument(w, lane, site, 0)), argument(w, lane, site, 1));
    w.context().output += text;
    // The number of arguments; nobody asks, but it is defined.
    int32_t result = int32_t(text.size());
    for (const CallSite::Copy &copy : site.results)
      w.local.store(lane, w.local.base(lane) + copy.caller, copy.size, &result, 0, w.checks());
  }
}

} // namespace control

} // namespace attn::sim
