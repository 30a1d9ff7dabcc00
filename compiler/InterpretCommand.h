// SPDX-License-Identifier: Apache-2.0
// attnc --interpret SPEC.mlir [--kernel NAME] --input q=q.npy ... [--scalar scale=0.1] --output o=o.npy
//       [--kernel-output o=own.npy] [--rows 0,5,7]
#pragma once

#include "llvm/Support/raw_ostream.h"

#include <map>
#include <string>

namespace mlir {
class ModuleOp;
}

namespace attn {

/// The options as they are written on the command line.
struct InterpretCommandOptions {
  using Named = std::map<std::string, std::string>;

  std::string kernel;  ///< empty: the only one of the file
  Named inputs;        ///< NAME=FILE.npy; f32 given for f16 or bf16 is rounded to it
  Named scalars;       ///< NAME=NUMBER
  Named outputs;       ///< NAME=FILE.npy, in double precision, written as f64
  Named kernelOutputs; ///< NAME=FILE.npy, in the kernel's own precisions, written as f32
  std::string rows;    ///< "0,5,7": only these query rows, the others are NaN; empty: all
};

/// Evaluates a kernel of a module that was verified and has all its functions; reads and writes .npy files. Returns the
/// exit status. Everything wrong with the options and the arguments is said at once, a line each, and then no file is
/// written.
int runInterpretCommand(mlir::ModuleOp module, const InterpretCommandOptions &options,
                        llvm::raw_ostream &messages = llvm::errs());

} // namespace attn
