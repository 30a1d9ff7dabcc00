// SPDX-License-Identifier: Apache-2.0
// The spec of a case, as a user would write it.
#pragma once

#include "test/cases/Axes.h"

namespace attn::cases {

/// Numbers that stand in the text of a spec; the data of a case is made to fit them.
inline constexpr int64_t WindowLeft = 37;
inline constexpr double SoftcapAt = 5.0;
inline constexpr double StaticScale = 0.125;
inline constexpr int64_t TableSize = 16;

/// The kernel is called `case` whatever it computes, so that equal kernels of different cases are one.
/// `schedule` is what stands in schedule<...>; empty: the compiler chooses.
/// Arguments, where the case has them: q k v kv_lens scale slopes table sink; results: o lse.
std::string specText(const Case &c, const std::string &schedule = {});

} // namespace attn::cases
