// SPDX-License-Identifier: Apache-2.0
// Instructions of clusters, mbarriers, bulk copies and warpgroups. The table knows them; running one is refused by
// name.
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <fmt/format.h>

namespace attn::sim {

[[noreturn]] static void refuse(const Op &op) {
  throw Fault{"unsupported", fmt::format("'{}' is not supported by this simulator", op.form->text)};
}

#define ATTN_REFUSED(name)                                                                                             \
  void name(Warp &, const Op &op, Mask) { refuse(op); }

namespace grid {
ATTN_REFUSED(clusterArrive)
ATTN_REFUSED(clusterWait)
ATTN_REFUSED(setMaxRegisters)
ATTN_REFUSED(dependentsLaunch)
ATTN_REFUSED(dependentsWait)
} // namespace grid

} // namespace attn::sim
