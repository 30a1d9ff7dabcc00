// SPDX-License-Identifier: Apache-2.0
// Tiles and shares for few queries over many keys, where reading the keys is all that takes time.
#pragma once

#include "passes/CostModel.h"

namespace attn {

/// The candidates among which tiles for few queries are chosen; what is given stands.
void forEachDecodeCandidate(const KernelShape &shape, const Tiles &given,
                            llvm::function_ref<void(const Tiles &)> visit);

/// The best of them that runs; without any, nothing. Shares are chosen for it as well.
std::optional<Choice> chooseDecodeTiles(const KernelShape &shape, const Tiles &given, const Target &target);

/// Shares for given tiles: `numSplits` stands if it is not 0.
void chooseShares(const KernelShape &shape, int64_t numSplits, const Target &target, Choice &choice);

/// Programs of `stream_k` for given tiles: as many as run at once, but few enough to a multiprocessor that shares are
/// long.
void choosePrograms(const Target &target, Choice &choice);

/// Query rows that meet the keys of one key head, for which a sequence is worth splitting.
inline constexpr int64_t mostDecodeRows = 64;

} // namespace attn
