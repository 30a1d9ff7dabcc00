// SPDX-License-Identifier: Apache-2.0
// The lowering of one scheduled function from tiles to the threads of a program; shared by the Lower*.cpp files.
//
// A tile in registers is a list of scalars, the registers of one thread, in the order that its encoding defines:
//   acc       (atom of 16 rows, atom of 8 columns, v) -> f32, v = 0..3: rows g, g, g + 8, g + 8, columns 2c, 2c + 1
//   acc, 16 bit and operand 0: the same with v in pairs -> i32
//   slice     (atom of 16 rows, half) -> f32 or i1: rows g and g + 8
// where lane = 4 g + c. Scalars of type index are 32-bit: sizes and positions are below 2^30 (the launcher checks).
#pragma once

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace attn::tile {

using Registers = llvm::SmallVector<mlir::Value, 0>;

/// What a tile.view became: the address of row 0 of its sequence and head, and what its rows are called.
struct LoweredView {
  mlir::Value address;   ///< ptr<1>, row 0; null, as what follows, where rows are only copied by boxes. Where rows are
                         ///< looked up, entry 0 of row or page 0 of the tensor
  mlir::Value rowBytes;  ///< i64, distance of tokens
  mlir::Value rowStride; ///< i64, the same in elements, as launched with
  mlir::Value length;    ///< i32, rows that exist
  mlir::Value index;     ///< i32, index of token 0; null for 0
  mlir::Value position;  ///< i32, position of token 0; null for its index
  mlir::Value batch, head; ///< i32; the head of row 0
  mlir::Value headBytes;   ///< i64, distance of heads; null where rows are tokens
  int64_t packed = 1;      ///< neighbouring rows that are heads of one token
  ViewOp lists;            ///< the operation, if it has lists that rows are looked up in
  bool gathered = false;   ///< each row lies where a list says; else rows are a stride apart
  mlir::Value positions;   ///< memory of the scheduled function with a position for each row; null without
  /// The list that says by their positions which rows of another view these are; null without.
  struct Entries {
    mlir::Value address; ///< ptr<1>, of row 0's entry
    mlir::Value stride;  ///< i64, distance of entries in bytes
    mlir::Value rows;    ///< i32, rows of the other view that exist
    bool ofGathered;     ///< whether each row of the other view lies where a list says
  };
  std::optional<Entries> entries;
  int64_t columns;
  mlir::Type element;
  mlir::Operation *uniformPoint = nullptr; ///< what depends on batch and head alone is computed before this operation
};

/// A tile in shared memory: a byte address in a register, and a constant to be added.
struct SharedBuffer {
  mlir::Value base; ///< i32
  int64_t offset = 0;
};

/// A list of tiles in shared memory; all values are i32 but `all`.
struct LoweredList {
  int64_t words;      ///< of 32 bits to each of four sets (visible, hidden, and two to compute with); then the count
  mlir::Value bits;   ///< address of the words
  mlir::Value places; ///< address of the places
  mlir::Value from, range; ///< the first tile and the number of them
  mlir::Value all;         ///< i1: there are more than places, so that each stands for itself
  mlir::Value count;       ///< of places
};

/// A launch argument of the lowered function, in the words of the kernel file ("address q", "stride q 0").
struct Parameter {
  std::string text;
  mlir::Type type;
  bool isMap = false; ///< a tensor map, passed by value
};

/// Whether the sequence that a store writes may end before its tensor does: its length is none of the tensor's sizes.
bool endsInside(StoreOp store);

class TileLowering {
public:
  TileLowering(mlir::func::FuncOp source, mlir::Operation *module);

  /// Writes the lowered function behind the module's others. Diagnoses what it cannot lower.
  mlir::LogicalResult run();

private:
  // LaunchArguments.cpp: what a launch gives, and what it is called.
  void collectParameters();
  mlir::ArrayAttr describeArguments();
  llvm::StringRef argumentName(mlir::Value value);
  bool onlyCopiedByBoxes(mlir::Value memory);
  std::string describe(mlir::Value value);
  std::string nameOfSize(mlir::Value memory, int64_t dimension);

  // ConvertTileToGpu.cpp: the frame, control flow, scalars.
  void createFunction();
  void createGeometry();
  void readGeometry();
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerOp(mlir::Operation &op);
  mlir::LogicalResult lowerScalar(mlir::Operation &op);
  mlir::LogicalResult lowerControl(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp loop);
  mlir::LogicalResult lowerWhile(mlir::scf::WhileOp loop);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp branch);
  Registers flatten(mlir::ValueRange values);
  void bind(mlir::ValueRange values, mlir::ValueRange registers);
  mlir::LogicalResult lowerProgram(ProgramOp op);
  mlir::LogicalResult lowerWorker(WorkerOp op);
  mlir::LogicalResult lowerScalarLoad(mlir::memref::LoadOp op);
  mlir::Type scalarType(mlir::Type type);

  // LowerElementwise.cpp: arith and math on tiles, reductions, broadcasts, conversions.
  mlir::LogicalResult lowerElementwise(mlir::Operation &op);
  mlir::Value packPair(mlir::Type element, mlir::Value low, mlir::Value high);
  mlir::LogicalResult lowerTruncation(mlir::arith::TruncFOp op);
  mlir::LogicalResult lowerExtension(mlir::arith::ExtFOp op);
  mlir::LogicalResult lowerConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult lowerReduce(ReduceOp op);
  mlir::LogicalResult lowerBroadcast(BroadcastOp op);
  mlir::LogicalResult lowerConvert(ConvertOp op);
  mlir::Value addAcrossRow(mlir::Value value);
  mlir::Value maxAcrossRow(mlir::Value value);

  // LowerProducts.cpp: matrix products of warps.
  mlir::LogicalResult lowerDot(DotOp op);

  // LowerWarpgroupProducts.cpp: matrix products of warpgroups.
  mlir::LogicalResult lowerWarpgroupDot(DotOp op);
  mlir::LogicalResult lowerDotStart(DotStartOp op);
  mlir::LogicalResult lowerDotWait(DotWaitOp op);
  Registers startProduct(mlir::Value lhs, mlir::Value rhs, mlir::Value acc, bool transB, mlir::RankedTensorType type);
  Registers waitForProduct(mlir::ArrayRef<mlir::Value> product, int64_t leaving);
  mlir::Value descriptorAddress(SharedBuffer buffer);
  mlir::Value warpgroupNumber();

  // ConvertTileToGpu.cpp: launches of a kernel.
  mlir::LogicalResult lowerSignal(BeginNextOp op);
  mlir::LogicalResult lowerSignal(AwaitPreviousOp op);

  // LowerRoles.cpp: loading and computing warps, and the rings between them.
  mlir::LogicalResult lowerRoles(RolesOp op);
  mlir::LogicalResult lowerRole(mlir::Region &role);
  mlir::LogicalResult fillByBoxes(FillOp op);
  mlir::LogicalResult awaitBoxes(AwaitOp op);
  mlir::LogicalResult lowerRelease(ReleaseOp op);
  mlir::LogicalResult lowerBlank(BlankOp op);
  void createBarriers();
  void waitForBarrier(mlir::Value barrier, mlir::Value phase);
  mlir::Value barrierOf(mlir::Value ring, mlir::Value number, bool empty);
  mlir::Value phaseOf(mlir::Value ring, mlir::Value number);
  mlir::LogicalResult storeByBoxes(StoreOp op);
  void storeBox(StoreOp op);
  bool isOwnBuffer(mlir::Value ring);
  mlir::LogicalResult lowerSignal(TakeTurnOp op);
  mlir::LogicalResult lowerSignal(PassTurnOp op);
  void openTurns();
  void closeTurns();
  mlir::Value turnBarrier(mlir::Value group);
  std::string boxOf(mlir::Value view, int64_t rows, SharedAttr layout);
  std::string boxOf(FillOp fill);
  std::string boxOf(StoreOp store);
  SharedAttr layoutOfStore(StoreOp store);
  mlir::Value mapParameter(llvm::StringRef box);

  // LowerViews.cpp: where rows lie.
  mlir::LogicalResult lowerView(ViewOp op);
  mlir::LogicalResult makeView(ViewOp op);
  mlir::LogicalResult lowerView(GatherOp op);
  mlir::Value rowAddressIn(mlir::Value list, mlir::ValueRange row);
  mlir::Value loadInteger(mlir::Type type, mlir::Value address, mlir::Value exists);
  mlir::Value entryOf(const LoweredView &view, mlir::Value row, mlir::Value exists);
  /// Token and head of a row, i32, and where the row begins; nothing is looked up for one that does not exist (i1).
  mlir::Value tokenOf(const LoweredView &view, mlir::Value row);
  mlir::Value headOf(const LoweredView &view, mlir::Value row);
  mlir::Value addressOf(const LoweredView &view, mlir::Value row, mlir::Value exists);
  mlir::Value scaled(mlir::Value index, mlir::Value memory, int64_t dimension);
  mlir::Value lookUp(mlir::Value list, mlir::ValueRange place, mlir::Value exists);
  mlir::Value pageOf(const LoweredView &view, mlir::Value sequence, mlir::Value number, mlir::Value exists);
  mlir::Value findInRuns(mlir::Value runs, mlir::Value sequence, mlir::Value number, mlir::Value exists);
  mlir::Value listedAddress(const LoweredView &view, mlir::Value row, mlir::Value exists);
  bool tilesLieInPages(const LoweredView &view, int64_t rows);
  mlir::LogicalResult lowerLeave(LeaveOp op);
  mlir::LogicalResult lowerList(LocateOp op);
  mlir::LogicalResult lowerList(HeldOp op);
  mlir::LogicalResult lowerWorkspace(WorkspaceOp op);
  mlir::LogicalResult lowerColumns(ColumnsOp op);

  // LowerCopies.cpp: rings, global memory.
  mlir::LogicalResult lowerRing(RingOp op);
  mlir::LogicalResult lowerFill(FillOp op);
  mlir::LogicalResult fillByElements(FillOp op);
  mlir::LogicalResult lowerAwait(AwaitOp op);
  mlir::LogicalResult lowerStore(StoreOp op);
  mlir::LogicalResult storeByRows(StoreOp op);
  void storePair(mlir::Value pair, mlir::Value place);
  mlir::LogicalResult lowerLoad(LoadOp op);
  Registers loadRow(const LoweredView &from, mlir::Value address, mlir::RankedTensorType type);
  SharedBuffer bufferOf(mlir::Value ring, mlir::Value number);
  mlir::Value copySource(mlir::Value view, int64_t lanesPerRow);
  mlir::Value laneBytes(int64_t lanesPerRow);
  mlir::Value tileSource(FillOp op, int64_t lanesPerRow, mlir::Value rowBytes, mlir::Value rowsLeft);

  // LowerLists.cpp: lists of tiles, and questions to lists that are the same for a program.
  mlir::LogicalResult lowerListOp(mlir::Operation *op);
  mlir::LogicalResult lowerCollect(CollectOp op);
  mlir::LogicalResult lowerEach(EachOp op);
  mlir::LogicalResult lowerMark(MarkOp op);
  mlir::LogicalResult lowerCommon(CommonOp op);
  mlir::LogicalResult lowerOps(mlir::Region &region);
  void forWords(const LoweredList &list, llvm::function_ref<void(mlir::Value)> body);
  mlir::Value setOf(const LoweredList &list, int64_t number);
  mlir::Value allThreads();
  void meet();
  mlir::LogicalResult lowerEntry(EntryOp op);
  mlir::LogicalResult lowerRun(RunOp op);
  template <typename Op> mlir::LogicalResult lowerSearch(Op op);
  void writePlaces(const LoweredList &list, mlir::Value word);
  mlir::Value entryOf(const LoweredList &list, mlir::Value place);
  mlir::Value wordOf(mlir::Value base, mlir::Value number);
  mlir::Value loadShared(mlir::Value address, bool half);
  void forRange(mlir::Value from, mlir::Value to, mlir::Value step, llvm::function_ref<void(mlir::Value)> body);

  // LowerSums.cpp: sums that many programs add to.
  mlir::LogicalResult lowerSums(mlir::Operation *op);
  mlir::LogicalResult lowerClear(ClearOp op);
  mlir::LogicalResult lowerTally(TallyOp op);
  mlir::LogicalResult lowerSettle(SettleOp op);
  std::pair<mlir::Value, mlir::Value> cellsOf(mlir::Value memory, mlir::Value row);
  void forCells(mlir::Value first, int64_t count, mlir::Value end, llvm::function_ref<void(mlir::Value)> body);
  void addToCell(mlir::Value weight, mlir::Value cells, mlir::Value number, mlir::Value end);
  mlir::Value existingRows(TallyOp op, Registers &weights);
  void tallyColumns(TallyOp op, const Registers &weights);
  void tallyDistances(TallyOp op, const Registers &weights, mlir::Value firstRow);

  // LowerSelect.cpp: lists of the largest sums.
  mlir::LogicalResult lowerSelect(SelectOp op);
  friend class RowSelection;

  // LowerSearches.cpp: lines of values in memory.
  std::pair<mlir::Value, mlir::Value> lineOf(mlir::Value values, mlir::ValueRange at, int64_t along);
  mlir::LogicalResult lowerFirstAbove(FirstAboveOp op);
  mlir::LogicalResult lowerExtremes(ExtremesOp op);

  // LowerFunctions.cpp: score and mask functions.
  mlir::LogicalResult lowerApply(ApplyOp op);
  mlir::LogicalResult lowerMask(MaskOp op);
  friend class FunctionEmitter;

public:
  // Helpers used by all of them.
  mlir::Value i32(int64_t value);
  mlir::Value i64(int64_t value);
  mlir::Value f32(float value);
  /// A PTX instruction with one result; pure unless it has effects. Operands and result are registers.
  mlir::Value ptx(llvm::StringRef text, llvm::StringRef constraints, mlir::Type result, mlir::ValueRange operands,
                  bool effects = false);
  /// A PTX instruction with several results of one type.
  Registers ptxMany(llvm::StringRef text, llvm::StringRef constraints, mlir::Type element, int64_t results,
                    mlir::ValueRange operands, bool effects = false);
  void ptxEffect(llvm::StringRef text, llvm::StringRef constraints, mlir::ValueRange operands);
  /// An LLVM intrinsic with one result, or with several of one type.
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);
  Registers intrinsicMany(llvm::StringRef name, mlir::Type element, int64_t results, mlir::ValueRange operands);
  /// The registers of a tile.
  Registers &registers(mlir::Value tile);
  mlir::Value scalar(mlir::Value value) { return scalars.lookup(value); }
  const LoweredView &view(mlir::Value value) { return views.find(value)->second; }
  mlir::Value byteOffset(mlir::Value pointer, mlir::Value bytes);
  /// Position of a row of a view, given as a number within it (i32). A list is read at rows that exist only: the number
  /// must be that of one.
  mlir::Value positionOf(const LoweredView &view, mlir::Value row);
  /// Address and stride in elements of an argument or of a workspace.
  mlir::Value pointerParameter(mlir::Value memory);
  mlir::Value strideParameter(mlir::Value memory, int64_t dimension);
  mlir::Value sizeParameter(mlir::Value memory, int64_t dimension);
  /// A value that is the same in all loops: computed once, before anything else of the function.
  mlir::Value once(llvm::StringRef key, llvm::function_ref<mlir::Value()> create);
  /// This thread's number, for values that are computed once.
  mlir::Value threadOnce();
  /// An i32 that is always 0, of which the assembler does not know that.
  mlir::Value hiddenZero();
  /// Warps of the program.
  int64_t warpCount() const { return warps; }

  mlir::ImplicitLocOpBuilder builder;
  // Coordinates of this thread: lane = 4 * group + quad; quadColumn = 2 * quad is its first column of an atom. They are
  // read anew in front of loops and of the epilogue: to keep them would cost registers in the loops between.
  mlir::Value thread, lane, warp, group, quadColumn;

private:
  mlir::func::FuncOp source;
  mlir::Operation *module;
  mlir::LLVM::LLVMFuncOp target;
  bool wideCopies;
  RolesOp roles;                      ///< null where all warps do the same
  int64_t warps = 0, sharedBytes = 0; ///< warps that compute
  llvm::MapVector<mlir::Value, int64_t> ringOffsets, barrierOffsets;
  llvm::DenseMap<mlir::Value, Registers> tiles;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
  llvm::DenseMap<mlir::Value, LoweredView> views;
  llvm::DenseMap<mlir::Value, LoweredList> lists;
  llvm::DenseMap<mlir::Value, SharedBuffer> awaited; ///< shared tile -> its buffer
  std::vector<Parameter> parameters;
  llvm::StringMap<unsigned> parameterIndex;
  llvm::StringMap<mlir::Value> computedOnce;
  llvm::DenseMap<mlir::Value, Registers> workspaceStrides;
  llvm::DenseMap<mlir::Value, mlir::Value> copySources;
  mlir::Value marked;                  ///< address of the set that marks go to; null for that of their sight
  mlir::Operation *topPoint = nullptr; ///< what is computed once is computed before this operation

public:
  mlir::Value sharedBase; ///< i32 address of the dynamic shared memory
};

/// The number of registers each row slot's columns take: columns / 8 atoms.
inline int64_t columnAtoms(mlir::RankedTensorType type) { return type.getDimSize(1) / 8; }

} // namespace attn::tile
