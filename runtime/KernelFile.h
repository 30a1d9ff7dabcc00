// SPDX-License-Identifier: Apache-2.0
// The kernel file: PTX whose first lines (`//!`) say how to launch it. One struct, its reader and its writer.
//
//   //! attn-kernel-file 1
//   //! build 3f2a91c0
//   //! target sm_80
//   //! spec-hash 0123456789abcdef
//   //! check 0123456789abcdef             hash of every byte after this line
//   //! kernel prefill
//   //! input q bf16 [batch, seq_q, heads = 32, head_dim = 128]
//   //! scalar scale f32
//   //! output o bf16 [batch, seq_q, heads = 32, head_dim = 128]
//   //! data length kv_lens k seq_kv       optional facts about the contents of tensors (DataFact.h)
//   //! workspace 0
//   //! launch prefill_aligned
//   //! requires aligned q 16
//   //! requires tensor-map k                    what an encoded tensor map demands of address and strides
//   //! grid ceildiv(seq_q, 128) * 32 * batch
//   //! block 128
//   //! shared 65536
//   //! param address q
//   //! param map k box [1, 128, 1, 64] swizzle 128
//   //! or prefill_any
//   //! ...
//   //! launch merge                             the next step
//   //! ...
//   //! overlaps-previous                        begins early and waits for the step before by itself
//   //! source
//   //! | attn.kernel @prefill(...)
//   //! end
//   .version 7.1
//
// A grid may also name `multiprocessors`: how many the device has. `min(ceildiv(seq_q, 128) * 32 * batch,
// multiprocessors)` starts no more programs than run at once, each of which takes several blocks of work, and one file
// serves boards of a chip that differ in that number.
#ifndef ATTN_RUNTIME_KERNELFILE_H
#define ATTN_RUNTIME_KERNELFILE_H

#include "runtime/DataFact.h"
#include "runtime/Expression.h"
#include "runtime/Types.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

/// The name by which a grid knows the number of multiprocessors of the device; no dimension has it.
inline constexpr std::string_view multiprocessorsName = "multiprocessors";

/// The format that this reader reads and this writer writes.
inline constexpr int kernelFileVersion = 1;

/// A dimension of an argument: static when it has a size, otherwise bound at launch by its name.
struct Dimension {
  std::string name;
  std::optional<int64_t> size = std::nullopt;
  bool operator==(const Dimension &) const = default;
};

/// An argument of a kernel in the order in which a launch gives them: arguments first, then results.
struct KernelArgument {
  /// InOut is a result that has the name of an argument and is written in place.
  enum class Role : uint8_t { Input, Scalar, Output, InOut };
  Role kind = Role::Input;
  std::string name;
  DType type = DType::F32;        ///< scalars: F32, I32 or Index
  std::vector<Dimension> shape{}; ///< empty for scalars and for tensors of rank 0
  bool operator==(const KernelArgument &) const = default;
};

/// What is passed to an entry for one of its .param, in order; each has its natural alignment.
struct KernelParameter {
  enum class Kind : uint8_t {
    Address,   ///< u64: base address of tensor `name`
    Size,      ///< i32: value of dimension `name` (dimensions are checked to be below 2^30)
    Stride,    ///< i64: stride in elements of dimension number `dimension` of tensor `name`
    Scalar,    ///< f32, i32, or i64 for index: the scalar argument `name`
    Workspace, ///< u64: base of the workspace plus `offset` bytes
    Map,       ///< .align 64 .b8 [128]: an encoded tensor map of tensor `name`; what lies outside reads as zero
  };
  Kind what = Kind::Address;
  std::string name = {};
  int64_t dimension = 0;
  Expression offset = {};
  std::vector<int64_t> box = {}; ///< Map: elements that one copy moves, for each dimension in the order of the shape
  int64_t swizzle = 0;           ///< Map: bytes of the rows of the pattern in shared memory, 0 (none), 32, 64, 128
};

/// Requirement on a tensor: its base address and each byte stride but the innermost are multiples of `bytes`.
struct Alignment {
  std::string tensor;
  int64_t bytes = 16;
  bool operator==(const Alignment &) const = default;
};

/// One way to do a step: an .entry with what it requires and how it is started.
struct KernelEntry {
  std::string name; ///< name of the .entry
  std::vector<Alignment> required;
  /// Tensors that must fit a tensor map: an address that is a multiple of 16, a contiguous innermost dimension, and all
  /// other strides positive multiples of 16 below 2^40, in bytes, where the dimension is longer than 1.
  std::vector<std::string> tensorMaps;
  Expression grid;          ///< programs along x, of sizes and `multiprocessors`; 0 launches nothing and is success
  int64_t block = 0;        ///< threads of a program
  int64_t shared = 0;       ///< bytes of dynamic shared memory
  bool cooperative = false; ///< programs wait for each other, so all must be resident
  /// Its programs may begin before the step before has ended, and wait for that themselves (griddepcontrol.wait) before
  /// they touch what it writes. Where a device cannot start them early, or that step had no programs, order is as
  /// usual.
  bool overlapsPrevious = false;
  std::vector<KernelParameter> parameters;
};

/// Launched in file order; of the alternatives the first whose requirements hold is taken.
struct KernelStep {
  std::vector<KernelEntry> alternatives;
};

struct KernelSection {
  std::string name;
  std::vector<KernelArgument> arguments;
  std::vector<DataFact> facts;
  Expression workspace; ///< bytes
  std::vector<KernelStep> steps;
};

struct KernelFile {
  std::string build;    ///< id of the compiler build, one word
  std::string target;   ///< "sm_80"
  std::string specHash; ///< 16 hexadecimal digits: hashOf(canonical spec)
  std::vector<KernelSection> kernels;
  std::string source; ///< the spec, empty or ending in a newline
};

/// FNV-1a, 64 bits.
uint64_t hashOf(std::string_view bytes);

/// 16 lower-case hexadecimal digits.
std::string hexadecimal(uint64_t value);

/// Reads a kernel file. Throws Error with every fault found; `name` (of the file) and the line begin each sentence.
KernelFile parseKernelFile(std::string_view text, std::string_view name = "kernel file");

/// Whether the text begins as a kernel file does (it may still be damaged).
bool looksLikeKernelFile(std::string_view text);

/// Writes a kernel file with the given PTX (from `.version` on). parseKernelFile gives the same struct back.
std::string printKernelFile(const KernelFile &file, std::string_view ptx);

/// The text with its check line computed anew; unchanged when it has none. For tests that damage files on purpose.
std::string repairCheck(std::string_view text);

} // namespace attn

#endif // ATTN_RUNTIME_KERNELFILE_H
