// SPDX-License-Identifier: Apache-2.0
// The checklist of edges: what each item is tested by, and the cases that no other list has.
#pragma once

#include "test/cases/Axes.h"

namespace attn::cases {

/// A case whose spec differs from what its values say in some words.
struct EdgeCase {
  std::string name;
  Case of;
  std::vector<std::pair<std::string, std::string>> edits; ///< what stands in the spec, and what takes its place
  unsigned runs = 0;                                      ///< further runs, each in another order, for the same bits

  std::string spec() const;
};

/// Named "edge", the number of the item, and what is special: "edge05.left_0".
std::vector<EdgeCase> edgeCases();

/// A sentence for the first item with a pattern that no name matches; empty if all of them do.
std::string faultOfEdgeItems(const std::vector<std::string> &names);

} // namespace attn::cases
