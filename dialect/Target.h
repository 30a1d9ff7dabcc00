// SPDX-License-Identifier: Apache-2.0
// What the compiler knows of the hardware: one row per chip. Only this file's source compares names of chips.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace attn {

/// The newest kind of matrix instruction that a chip has. Each has those before it, too.
enum class MatrixGeneration : uint8_t {
  MmaSync, ///< `mma.sync`: operands in registers, a warp at a time
  Wgmma,   ///< `wgmma.mma_async`: operands in shared memory, four warps at a time
};
llvm::StringRef stringify(MatrixGeneration generation);

/// One chip. Rates are peaks; sizes are bytes unless the name says otherwise.
struct Target {
  std::string chip;       ///< what PTX calls it in `.target`
  int64_t ptxVersion = 0; ///< ten times the PTX version to emit: 71 is 7.1
  MatrixGeneration matrix = MatrixGeneration::MmaSync;
  int64_t computeCapability = 0; ///< ten times what CUDA calls so: 90 is 9.0
  int64_t sharedPerProgram = 0;  ///< dynamic shared memory that one program can ask for (opt-in)
  int64_t sharedPerSm = 0; ///< shared memory of a multiprocessor, of which each program also takes `sharedReserved`
  int64_t registersPerSm = 0;
  int64_t registersPerThread = 0;
  int64_t sms = 0;
  int64_t l2Bytes = 0;
  int64_t hbmBytesPerSecond = 0;
  int64_t matrixFlopsPerSecond = 0; ///< dense f16 or bf16 products with f32 sums, one multiply-add is two
  int64_t fp32PerClock = 0;         ///< f32 operations a clock and multiprocessor begins (a multiply-add is one)
  int64_t exp2PerClock = 0;         ///< `ex2` a clock and multiprocessor
  int64_t clockHz = 0;

  /// Shared memory that the system takes for itself in each program.
  static constexpr int64_t sharedReserved = 1024;

  /// Whether programs of a launch can begin before the launch before it has ended, and wait for that themselves.
  bool beginsStepsEarly() const { return computeCapability >= 90; }
  /// FLOP per byte from memory above which products and not memory bound a kernel.
  double ridge() const { return double(matrixFlopsPerSecond) / double(hbmBytesPerSecond); }
  /// Matrix FLOP of a clock and multiprocessor.
  double matrixFlopsPerClock() const { return double(matrixFlopsPerSecond) / double(sms) / double(clockHz); }
};

/// The row of a chip, or null if there is none.
const Target *lookupTarget(llvm::StringRef chip);

/// The chip that is compiled for when nothing is said.
const Target &defaultTarget();

/// Names of all chips, for help texts and diagnostics: "sm_80, sm_86, ...".
std::string targetNames();

/// The discardable attribute of a module that holds its target.
inline constexpr llvm::StringLiteral targetAttrName = "attn.target";

/// The row as an attribute; every number is an i64 named as in the table's text form (`shared_per_program`, ...).
mlir::DictionaryAttr targetToAttr(mlir::MLIRContext *context, const Target &target);

/// The target of the module around `op`. What the attribute leaves out is taken from the row of its chip, so that a
/// test can change one number. Every fault is reported on the module: a missing attribute, an entry that is unknown, of
/// the wrong type or not positive, a chip without a row that leaves entries out.
mlir::FailureOr<Target> targetOf(mlir::Operation *op);

} // namespace attn
