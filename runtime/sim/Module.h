// SPDX-License-Identifier: Apache-2.0
// A parsed PTX module: functions, variables, labels and the decoded instructions of all of them.
#pragma once

#include "runtime/sim/Registers.h"
#include "runtime/sim/Table.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace attn::sim {

/// Where the shared window and its first variable begin: the first KiB is the system's on real chips.
inline constexpr uint32_t kSharedWindowStart = 1024;

/// Values of Op::imm for `mov` from a special register.
enum class Special : uint16_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NwarpId,
  LanemaskEq,
  LanemaskLt,
  LanemaskLe,
  LanemaskGt,
  LanemaskGe,
  SmId,
  NsmId,
  GridId,
  ClusterIdX,
  ClusterIdY,
  ClusterIdZ,
  NclusterIdX,
  NclusterIdY,
  NclusterIdZ,
  ClusterCtaidX,
  ClusterCtaidY,
  ClusterCtaidZ,
  ClusterNctaidX,
  ClusterNctaidY,
  ClusterNctaidZ,
  ClusterCtarank,
  ClusterNctarank,
  IsExplicitCluster,
  DynamicSmemSize,
  TotalSmemSize,
  AggrSmemSize,
  Clock,
  ClockHi,
  Clock64,
  GlobalTimer,
  GlobalTimerLo,
  GlobalTimerHi,
  Envreg,
};

/// A formal parameter of an entry or device function.
struct Parameter {
  std::string name;
  Type type = Type::None; // B8 for arrays of bytes
  uint32_t size = 0;      // bytes
  uint32_t align = 1;     // bytes
  uint32_t offset = 0;    // in the entry's parameter space; in the frame for a device function
};

/// A run of bytes of a variable that holds the address of another (plus addend).
struct SymbolInitializer {
  uint32_t offset = 0; // byte in the variable
  uint32_t size = 8;   // bytes
  uint32_t variable = 0;
  int64_t addend = 0;
  bool generic = false; // written generic(symbol)
  uint32_t shift = 0;   // of a single byte: which byte of the address it is
};

/// A module variable in .global or .const space. (Shared, local and parameter variables are resolved to offsets.)
struct Variable {
  std::string name;
  Space space = Space::Global;
  uint64_t size = 0; // bytes
  uint32_t align = 1;
  std::vector<uint8_t> initial; // empty: zeros, as PTX demands
  std::vector<SymbolInitializer> symbols;
  uint64_t address = 0; // set by Module::bind
  uint32_t line = 0;
};

/// A shared variable placed in the window of an entry; for messages ("sm + 16") and checks.
struct SharedVariable {
  std::string name;
  uint32_t offset = 0; // window offset, at least kSharedWindowStart
  uint32_t size = 0;   // bytes; 0 for the dynamic block
  bool dynamic = false;
  uint32_t line = 0;
};

/// A register: of an instruction, for traces and for the checks on in-flight registers, or of a function.
struct OperandUse {
  Row row = kNoRow;
  bool wide = false;
  bool predicate = false;
};

/// `entry` or device function.
struct Function {
  std::string name;
  bool entry = false;
  uint32_t begin = 0, end = 0; // instructions of Module::ops; execution past the end is a return
  std::vector<Parameter> parameters, results;
  uint32_t parameterBytes = 0; // of an entry's parameter space
  uint32_t frameBytes = 0;     // .local variables and call parameters of one lane
  /// Registers used: rows [firstRow, lastRow), predicates likewise. Without device functions each entry starts after
  /// the reserved ones; in a module with device functions no two functions overlap.
  Row firstRow = kFirstRow, lastRow = kFirstRow;
  Predicate firstPredicate = kFirstPredicate, lastPredicate = kFirstPredicate;
  std::array<uint32_t, 3> maxntid{}, reqntid{}; // zeros if not given
  uint32_t minnctapersm = 0, maxnreg = 0;
  std::array<uint32_t, 3> clusterDim{}; // .reqnctapercluster, zeros if not given
  bool explicitCluster = false;
  uint32_t maxClusterRank = 0;
  std::vector<SharedVariable> shared; // those that this entry places
  uint32_t sharedStaticEnd = kSharedWindowStart;
  /// Window offset of the dynamic block: an odd multiple of exactly the alignment it declares, 16 if none.
  uint32_t sharedDynamic = kSharedWindowStart + 16;
  uint32_t line = 0;
  /// Of a function that may be called again before it has returned: all its registers, of which each call has its own.
  std::vector<OperandUse> saved;
};

struct Label {
  std::string name;
  uint32_t function = 0; // index in Module::functions
  uint32_t target = 0;   // instruction it stands before
  uint32_t line = 0;
};

/// Targets of one `brx.idx`.
struct BranchTable {
  std::vector<uint32_t> targets;
};

/// One `call`: what is copied between the caller's frame and the callee's.
struct CallSite {
  struct Copy {
    uint32_t caller = 0, callee = 0, size = 0; // frame offsets, bytes
  };
  uint32_t function = 0; // index in Module::functions; ignored for built-in functions
  std::string builtin;   // "vprintf" or "__assertfail", empty for ordinary calls; arguments[i].callee is then unused
  std::vector<Copy> arguments, results;
};

struct OperandUses {
  uint32_t first = 0;             // in Module::uses
  uint16_t writes = 0, reads = 0; // writes come first
};

/// Name of a register as the text has it, by row.
struct RegisterName {
  std::string name;
  Row row = kNoRow;
  bool predicate = false;
  uint32_t function = 0;
  Type type = Type::None;
};

struct Module {
  std::string file;    // for messages
  std::string version; // "7.1"
  std::string target;  // "sm_80"
  std::vector<Function> functions;
  std::vector<Variable> variables;
  std::vector<Label> labels; // sorted by target
  std::vector<Op> ops;
  std::vector<OperandUses> opUses; // parallel to ops
  std::vector<OperandUse> uses;
  std::vector<int32_t> lists; // elements of vector operands: rows, or predicate indices
  std::vector<BranchTable> branchTables;
  std::vector<CallSite> calls;
  std::deque<Form> forms; // addresses are stable
  Constants constants;
  std::vector<RegisterName> registerNames;
  bool usesWgmma = false;
  /// Rows and predicates a warp needs to run any entry and everything it calls.
  size_t rowCount = kFirstRow, predicateCount = kFirstPredicate;

  const Function *entry(std::string_view name) const;
  /// Name of a register row at an instruction, e.g. "%r12"; "_" if there is none.
  std::string registerName(uint32_t op, Row row, bool predicate) const;
  /// Function an instruction belongs to, as an index.
  uint32_t functionOf(uint32_t op) const;
  /// Fills in Function::saved, once calls are resolved.
  void findRecursion();
  /// Tells the address of a .global or .const variable: patches every instruction and constant that mentions it.
  void bind(uint32_t variable, uint64_t address);
  /// Whether approximate instructions add -1, 0 or 1 times half their documented bound, by a hash of opcode and input.
  void setWorstApproximation(bool worst);

  struct Relocation {
    uint32_t variable = 0;
    uint64_t addend = 0;
    bool inOp = false; // Op::imm of ops[index]; else constant row
    uint32_t index = 0;
    Row row = kNoRow;
    int slot = 0; // 0 Op::imm, 1 imm2, 2 imm3
  };
  std::vector<Relocation> relocations;
};

} // namespace attn::sim
