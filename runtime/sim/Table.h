// SPDX-License-Identifier: Apache-2.0
// The instruction table: the one place where an instruction exists, and the decoded micro-operation it leads to.
#pragma once

#include "runtime/sim/Registers.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attn::sim {

class Warp;
struct Op;
struct Form;

/// Executes `op` for `lanes`, a non-empty subset of the warp's executing lanes whose guard is true.
using Handler = void (*)(Warp &, const Op &, Mask lanes);
/// The same for instructions that touch nothing but registers.
using ScalarHandler = void (*)(Registers &, const Op &, Mask lanes);

/// Thrown by a scalar handler for what PTX leaves undefined, e.g. "division by zero".
struct ScalarFault {
  const char *message;
  Mask lanes;
};

// Values of modifiers. The first value of each is "not written".

enum class Type : uint8_t {
  None,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F32,
  F64,
  BF16,
  TF32,
  E4M3,
  E5M2,
  F16x2,
  BF16x2,
  E4M3x2,
  E5M2x2,
  U16x2,
  S16x2,
  Pred
};
/// Bits of a value of the type; 1 for predicates, 0 for None.
unsigned bitWidth(Type type);
bool isSigned(Type type);  // S8 .. S64, S16x2
bool isFloat(Type type);   // F16 .. E5M2x2
bool isUntyped(Type type); // B8 .. B128
std::string_view name(Type type);

enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  SharedCluster,
  Local,
  Constant,
  Param, // parameters of the entry; those of device functions live in their frame and have Space::Local
};
enum class Scope : uint8_t { None, Cta, Cluster, Gpu, Sys };
enum class Semantics : uint8_t { None, Weak, Relaxed, Acquire, Release, AcqRel, Sc, Volatile, Mmio };
enum class Rounding : uint8_t { None, Rn, Rz, Rm, Rp, Rna, Rni, Rzi, Rmi, Rpi, Approx, Full };
enum class Compare : uint8_t { None, Eq, Ne, Lt, Le, Gt, Ge, Lo, Ls, Hi, Hs, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };
enum class BoolOp : uint8_t { None, And, Or, Xor };
/// Operation of `atom red redux bar.red cp.reduce vote match`.
enum class Reduce : uint8_t { None, Add, Min, Max, And, Or, Xor, Exch, Cas, Inc, Dec, Popc, Ballot, Any, All, Uni };
enum class Mode : uint8_t {
  None,
  Lo,
  Hi,
  Wide,
  Left,
  Right,
  Wrap,
  Clamp,
  Up,
  Down,
  Bfly,
  Idx,
  F4e,
  B4e,
  Rc8,
  Ecl,
  Ecr,
  Rc16,
  ShiftAmount
};

enum class MatrixShape : uint8_t { None, M16N8K4, M16N8K8, M16N8K16, M16N8K32, M8N8, Wgmma };

/// What an instruction's modifiers said. Distinct forms are shared by all their instructions.
struct Form {
  const struct TableRow *row = nullptr;
  std::string text; // as written, e.g. "ld.shared.v4.b32"
  /// The types in the order written; `types[0]` is the destination's where there are several.
  std::array<Type, 4> types{};
  Space space = Space::Generic;  // of the address; of the destination where there are two
  Space source = Space::Generic; // of the source where there are two (bulk copies)
  Scope scope = Scope::None;
  Semantics semantics = Semantics::None;
  Rounding rounding = Rounding::None;
  Compare compare = Compare::None;
  BoolOp boolOp = BoolOp::None;
  Reduce reduce = Reduce::None;
  Mode mode = Mode::None, mode2 = Mode::None;
  MatrixShape shape = MatrixShape::None;
  uint16_t n = 0;     // N of wgmma; dimensions of a tensor copy (1..5)
  uint8_t vector = 1; // v2, v4, v8; x1, x2, x4; num of matrices
  bool ftz = false, sat = false, satfinite = false, relu = false, nan = false, carryOut = false, carryIn = false;
  bool sync = false, aligned = false, trans = false, uniform = false, parity = false, multicast = false, read = false;
  bool noinc = false, noComplete = false, noFtz = false, nonCoherent = false, cacheHint = false, expectTx = false;
  bool to = false; // cvta.to
  bool cg = false; // cp.async.cg
  bool tile = false, bulkGroup = false, all = false;
  bool exactWidths = false; // registers are exactly as wide as the types
  bool worst = false;       // approximations are off by half their documented bound

  Type type() const { return types[0]; }
};

/// One family of instructions.
struct TableRow {
  /// Leading words that name it, e.g. "mbarrier.try_wait".
  const char *name;
  /// Ordered groups separated by blanks. A group is alternatives `a|b`, a set `@types`, optional with a leading `?`;
  /// groups in braces may stand in any order.
  const char *modifiers;
  /// See Table.cpp: destinations d q, sources a b c e, vectors {d}, addresses [a], label l, optional with a trailing ?.
  const char *operands;
  /// Exactly one of handler and choose is set. choose returns null when the table is wrong about a combination.
  Handler handler;
  ScalarHandler (*choose)(const Form &);
  unsigned flags;
  /// Index in the table, set when it is built; test/sim/<test>.ptx shows the row.
  const char *test;
  unsigned index = 0;
};

/// Flags of a row.
enum RowFlag : unsigned {
  FlagMemory = 1u << 0,  // reads or writes memory
  FlagSync = 1u << 1,    // waits for other lanes (a member mask or all of the warp)
  FlagAligned = 1u << 2, // all non-exited lanes of the warp must be at the same instruction (also by `.aligned`)
  FlagBranch = 1u << 3,  // sets the program counter itself; every other instruction goes on to the next
  FlagBlocks = 1u << 4,  // may block on other warps
  FlagAsync = 1u << 5,   // starts or waits for an asynchronous operation
  FlagEnds = 1u << 6,    // lanes exit
  FlagNop = 1u << 7,     // hint without effect
  FlagWgmma = 1u << 8,   // accounts for the registers itself
  FlagRelaxed = 1u << 9, // registers may be wider than the type
  FlagProduct = 1u << 11, // set on instructions: touches registers that a wgmma uses
};

/// All rows; `index` is the position.
const std::vector<TableRow> &table();
/// Why a valid PTX instruction family is refused, empty if it is not in the list of refused ones.
std::string_view refusal(std::string_view instruction);

/// A decoded instruction. Executed with `scalar` when that is set, else with `handler`.
struct Op {
  ScalarHandler scalar = nullptr;
  Handler handler = nullptr;
  const Form *form = nullptr;
  /// Offset of the address operand `[a]` (symbol included: window offset, byte of the parameter space or of the frame,
  /// global address), branch target, index into a table of the module, special register: see Handlers.h.
  uint64_t imm = 0;
  /// Offsets of the address operands `[b]` and `[c]`.
  uint64_t imm2 = 0, imm3 = 0;
  /// Registers by the letter of the row's operand pattern: d q destinations, a b c e sources. A predicate operand is an
  /// index of the predicate bank. For an address `a` is the base register, kNoRow for a plain symbol or immediate.
  int32_t dst = kNoRow, dst2 = kNoRow, a = kNoRow, b = kNoRow, c = kNoRow, e = kNoRow;
  /// Guard predicate, kNoPredicate if none.
  int32_t guard = kNoPredicate;
  uint32_t line = 0, column = 0;
  /// First element of the vector operands in Module::lists, one vector after the other in the order written.
  uint32_t list = 0;
  /// Elements of each vector operand; 0 behind the last.
  std::array<uint8_t, 4> listSize{};
  bool guardNegated = false;
  /// Bits of predicate sources that were written with `!`: 1 a, 2 b, 4 c, 8 e.
  uint8_t negated = 0;
  /// Bits of address operands whose base register is 64 bits wide: 1 a, 2 b, 4 c.
  uint8_t wideAddress = 0;
  /// Operands are present: bit of the letter, 1 a, 2 b, 4 c, 8 e, 16 d, 32 q.
  uint8_t present = 0;
  /// Bits of the destination registers, and of the first register or constant read as a value: instructions that allow
  /// registers wider than their type need them.
  uint8_t dstBits = 0, srcBits = 0;
  uint16_t flags = 0; // RowFlag; FlagAligned is set by `.aligned` too
};

} // namespace attn::sim
