// SPDX-License-Identifier: Apache-2.0
// How --explain words numbers, functions and pictures.
#pragma once

#include "compiler/TileSurvey.h"
#include "dialect/Attn.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace attn {

/// "68.7 GFLOP", "83.9 MB": three digits and a power of a thousand.
std::string quantity(double value, llvm::StringRef unit);

/// "220.4 us", "1.30 ms".
std::string duration(double seconds);

/// "@causal (library)" or "@mine (this file)".
std::string describeFunction(KernelOp kernel, mlir::FlatSymbolRefAttr name);

/// What a mask function says, as the compiler understands it, and what follows for tiles. `by` is its name on tiles,
/// beside `function`; `mask` is where the kernel gives it its parameters.
std::string describeMask(mlir::func::FuncOp function, mlir::FlatSymbolRefAttr by, MaskOp mask);

/// What one .entry of a kernel file consists of.
struct EntryCode {
  std::string name;
  int64_t bytes = 0;
  int64_t instructions = 0;
  int64_t matrixInstructions = 0;
};
std::vector<EntryCode> entriesOf(llvm::StringRef kernelFile);

/// One character per tile, rows of the first sequence from top to bottom, scaled down to 64 x 32.
void printPicture(const TileSurvey &survey, llvm::raw_ostream &out);

} // namespace attn
