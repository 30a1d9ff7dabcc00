// SPDX-License-Identifier: Apache-2.0
// The choice that choose-schedule makes for a kernel, for those who explain it.
#pragma once

#include "passes/CostModel.h"
#include "passes/Supported.h"

namespace attn {

/// What the cost of a kernel depends on.
KernelShape shapeOf(const Attention &attention);

/// The tiles that schedule<...> gives; 0 where it says nothing. `schedule` may be null.
Tiles tilesOf(ScheduleAttr schedule);

/// Completes what the kernel's schedule<...> leaves open. Every fault of it is reported on the kernel.
mlir::FailureOr<Choice> chooseSchedule(KernelOp kernel, const KernelShape &shape, const Target &target);

} // namespace attn
