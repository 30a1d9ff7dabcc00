// SPDX-License-Identifier: Apache-2.0
// The tile dialect: parsing and printing where a declarative format does not reach, and the verifiers.
#include "dialect/Tile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/InterleavedRange.h"

#include "dialect/TileDialect.cpp.inc"
#include "dialect/TileEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/TileAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/TileOps.cpp.inc"

using namespace mlir;

namespace attn::tile {

void TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/TileOps.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/TileTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/TileAttrs.cpp.inc"
      >();
}

AccAttr accumulatorOf(Type type) {
  if (auto acc = encodingOf<AccAttr>(type))
    return acc;
  if (auto operand = encodingOf<OperandAttr>(type))
    return operand.getOf();
  if (auto slice = encodingOf<SliceAttr>(type))
    return slice.getOf();
  return {};
}

int64_t registersOf(RankedTensorType type) {
  AccAttr acc = accumulatorOf(type);
  int64_t rows = type.getDimSize(0) / acc.getWarps();
  if (encodingOf<SliceAttr>(type))
    return rows / 8; // two rows of each atom of sixteen
  int64_t elements = rows * type.getDimSize(1) / 32;
  return type.getElementTypeBitWidth() == 16 ? elements / 2 : elements;
}

SharedAttr sharedLayoutOf(RankedTensorType type) {
  int64_t bytes = type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
  int64_t swizzle = bytes % 128 == 0 ? 128 : bytes % 64 == 0 ? 64 : 32;
  return SharedAttr::get(type.getContext(), swizzle, swizzle * 8 / type.getElementTypeBitWidth());
}

int64_t sharedBytesOf(RankedTensorType type) {
  return type.getDimSize(0) * type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
}

//===-- program and walk: names before operands -----------------------------===//

ParseResult ProgramOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> extents;
  Type index = parser.getBuilder().getIndexType();
  if (parser.parseOperandList(extents) || parser.parseOptionalAttrDict(result.attributes) ||
      parser.resolveOperands(extents, index, result.operands))
    return failure();
  result.addTypes(SmallVector<Type>(extents.size(), index));
  return success();
}

void ProgramOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printOperands(getExtents());
  printer.printOptionalAttrDict((*this)->getAttrs());
}

ParseResult WalkOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument number;
  OpAsmParser::UnresolvedOperand view, from, to;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  SmallVector<Type> types;
  Type viewType, index = parser.getBuilder().getIndexType();
  IntegerAttr step;
  if (parser.parseArgument(number) || parser.parseKeyword("in") || parser.parseOperand(view) || parser.parseLSquare() ||
      parser.parseOperand(from) || parser.parseKeyword("to") || parser.parseOperand(to) || parser.parseRSquare() ||
      parser.parseKeyword("step") ||
      parser.parseAttribute(step, parser.getBuilder().getI64Type(), "step", result.attributes) ||
      parser.parseKeyword("iter_args") || parser.parseAssignmentList(arguments, inits) || parser.parseColon() ||
      parser.parseType(viewType) || parser.parseArrowTypeList(types))
    return failure();
  if (types.size() != arguments.size())
    return parser.emitError(parser.getNameLoc(), "expects one type per loop-carried value, got ")
           << types.size() << " types for " << arguments.size() << " values";
  number.type = index;
  for (auto [argument, type] : llvm::zip(arguments, types))
    argument.type = type;
  arguments.insert(arguments.begin(), number);
  if (parser.resolveOperand(view, viewType, result.operands) || parser.resolveOperand(from, index, result.operands) ||
      parser.resolveOperand(to, index, result.operands) ||
      parser.resolveOperands(inits, types, parser.getNameLoc(), result.operands))
    return failure();
  result.addTypes(types);
  return failure(parser.parseRegion(*result.addRegion(), arguments) || parser.parseOptionalAttrDict(result.attributes));
}

void WalkOp::print(OpAsmPrinter &printer) {
  auto arguments = getBody().getArguments();
  printer << ' ' << arguments[0] << " in " << getView() << '[' << getFrom() << " to " << getTo() << "] step "
          << getStep() << " iter_args(";
  llvm::interleaveComma(llvm::zip(arguments.drop_front(), getInits()), printer,
                        [&](auto pair) { printer << std::get<0>(pair) << " = " << std::get<1>(pair); });
  printer << ") : " << getView().getType() << " -> (";
  llvm::interleaveComma(getResultTypes(), printer);
  printer << ") ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs(), {"step"});
}

//===-- verifiers -----------------------------------------------------------===//

LogicalResult WalkOp::verify() {
  if (getStep() <= 0)
    return emitOpError("expects a positive step, got ") << getStep();
  if (getInits().getTypes() != getResultTypes())
    return emitOpError("expects results of the types of its initial values");
  auto yield = dyn_cast<YieldOp>(getBody().front().back());
  if (!yield)
    return emitOpError("expects its body to end in tile.yield");
  if (yield.getValues().getTypes() != getResultTypes())
    return emitOpError("expects its body to yield the types of its results");
  return success();
}

LogicalResult WorkspaceOp::verify() {
  auto type = cast<MemRefType>(getMemory().getType());
  if (!type.getLayout().isIdentity())
    return emitOpError("expects a contiguous tensor, got ") << type;
  if (static_cast<int64_t>(getSizes().size()) != type.getNumDynamicDims())
    return emitOpError("expects a size for each of ")
           << type.getNumDynamicDims() << " dynamic dimensions, got " << getSizes().size();
  return success();
}

LogicalResult ColumnsOp::verify() {
  ViewType all = getView().getType(), some = getSome().getType();
  if (some.getElement() != all.getElement())
    return emitOpError("expects columns of ") << all.getElement() << ", got " << some.getElement();
  if (some.getColumns() <= 0 || some.getColumns() % 8 || all.getColumns() % some.getColumns())
    return emitOpError("expects a multiple of 8 columns that divides ")
           << all.getColumns() << ", got " << some.getColumns();
  return success();
}

/// What a list that is looked up has to be: integers, in a tensor of one of these ranks.
static LogicalResult verifyList(Operation *op, StringRef name, Value list, ArrayRef<int64_t> ranks) {
  if (!list)
    return success();
  auto type = cast<MemRefType>(list.getType());
  if (type.getElementType().isSignlessInteger() && llvm::is_contained(ranks, type.getRank()))
    return success();
  return op->emitOpError("expects ") << name << " to be integers of rank " << llvm::interleaved(ranks, " or ")
                                     << ", got " << type;
}

LogicalResult ViewOp::verify() {
  auto base = cast<MemRefType>(getBase().getType());
  auto view = getView().getType();
  if (base.getElementType() != view.getElement())
    return emitOpError("expects rows of ") << base.getElementType() << " like its base, got " << view.getElement();
  if ((getPart() || getAlone()) && !isStrided())
    return emitOpError("expects a part, or rows without a batch, where rows are a stride apart");
  int64_t withoutColumns = outerDims() + 2;
  bool oneColumn = base.getRank() == withoutColumns && view.getColumns() == 1;
  if (!oneColumn && (base.getRank() != withoutColumns + 1 || base.getShape().back() != view.getColumns()))
    return emitOpError("expects a base of shape (")
           << (getPart() ? "parts, " : "")
           << (getTable()                  ? "pages, page_size, heads, "
               : getStarts() || getAlone() ? "total, heads, "
                                           : "batch, seq, heads, ")
           << view.getColumns() << "), or without the last for one column, got " << base;
  if (getPacked() < 1)
    return emitOpError("expects at least 1 head in a group, got ") << getPacked();
  if (getPosition() && getPositions())
    return emitOpError("expects a first position or a list of positions, got both");
  if (getStarts() && getTable())
    return emitOpError("expects sequences behind one another or in pages, got both");
  if (getTable() && base.isDynamicDim(1))
    return emitOpError("expects pages of a static size, got ") << base;
  if (failed(verifyList(getOperation(), "starts", getStarts(), {1})) ||
      failed(verifyList(getOperation(), "rows", getRowOf(), {2})) ||
      failed(verifyList(getOperation(), "positions", getPositions(), {getStarts() ? 1 : 2})) ||
      failed(verifyList(getOperation(), "the table of pages", getTable(), {2, 3})))
    return failure();
  if (!getTable())
    return success();
  auto table = cast<MemRefType>(getTable().getType());
  if (table.getRank() == 3 && table.getDimSize(2) != 2)
    return emitOpError("expects runs of pages to be pairs (first page, number of pages), got ") << table;
  return success();
}

LogicalResult ConcatOp::verify() {
  if (getParts().size() < 2)
    return emitOpError("expects two parts or more, got ") << getParts().size();
  for (Value part : getParts())
    if (part.getType() != getView().getType())
      return emitOpError("expects parts of one type, ") << getView().getType() << ", got " << part.getType();
  return success();
}

LogicalResult LocateOp::verify() {
  if (static_cast<int64_t>(getStep()) <= 0)
    return emitOpError("expects a positive step, got ") << getStep();
  if (static_cast<int64_t>(getPacked()) <= 0)
    return emitOpError("expects a positive number of rows to each token, got ") << getPacked();
  return verifyList(getOperation(), "starts", getStarts(), {1});
}

LogicalResult HeldOp::verify() {
  if (failed(verifyList(getOperation(), "runs", getRuns(), {3})))
    return failure();
  auto runs = cast<MemRefType>(getRuns().getType());
  if (runs.getDimSize(2) != 2)
    return emitOpError("expects runs of pages to be pairs (first page, number of pages), got ") << runs;
  return success();
}

//===-- lists ----------------------------------------------------------------===//

int64_t sharedBytesOfList(int64_t most) {
  int64_t words = llvm::divideCeil(most, 32);
  return words * 16 + 4 + words * 64; // four bits and 16 bits to a place, and the count
}

LogicalResult MemberOp::verify() {
  auto list = cast<MemRefType>(getList().getType());
  int64_t indices = getRow().size(), rank = list.getRank();
  if (!list.getElementType().isSignlessInteger())
    return emitOpError("expects a list of integers, got ") << list;
  if (indices != rank - 1 && (indices != rank - 2 || list.getDimSize(rank - 1) != 2))
    return emitOpError("expects ") << rank - 1 << " row indices for a list of numbers, or " << rank - 2
                                   << " and a last dimension of 2 for a list of ranges, got " << indices << " and "
                                   << list;
  return success();
}

/// A list of numbers in memory, with an index for each dimension but that of the entries.
static LogicalResult verifyNumbers(Operation *op, Value memory, size_t indices) {
  auto list = cast<MemRefType>(memory.getType());
  if (!list.getElementType().isSignlessInteger())
    return op->emitOpError("expects a list of integers, got ") << list;
  if (int64_t(indices) != list.getRank() - 1)
    return op->emitOpError("expects ") << list.getRank() - 1 << " row indices, got " << indices;
  return success();
}

LogicalResult PlaceOp::verify() { return verifyNumbers(getOperation(), getList(), getRow().size()); }

LogicalResult GatherOp::verify() {
  auto view = getView().getDefiningOp<ViewOp>();
  if (view && (view.getPacked() != 1 || view.getPositions()))
    return emitOpError("expects a view of tokens that has no list of positions");
  return verifyNumbers(getOperation(), getList(), getRow().size());
}

LogicalResult SelectOp::verify() {
  if (!getTop() == !getCover())
    return emitOpError("expects either top or cover, got ") << (getTop() ? "both" : "neither");
  auto sums = cast<MemRefType>(getSums().getType());
  int64_t indices = getRow().size();
  if (!sums.getElementType().isF32() || sums.getRank() != indices + 1)
    return emitOpError("expects f32 sums with one dimension behind ") << indices << " indices, got " << sums;
  auto list = cast<MemRefType>(getList().getType()), count = cast<MemRefType>(getCount().getType());
  if (!list.getElementType().isSignlessInteger() || list.getRank() != sums.getRank())
    return emitOpError("expects a list of integers of rank ") << sums.getRank() << ", got " << list;
  if (!count.getElementType().isSignlessInteger() || count.getRank() != indices)
    return emitOpError("expects counts that are integers of rank ") << indices << ", got " << count;
  return success();
}

/// Values that stand in a line of a tensor.
template <typename Op> static LogicalResult verifyLine(Op op) {
  auto values = cast<MemRefType>(op.getValues().getType());
  int64_t rank = values.getRank(), indices = op.getAt().size(), along = op.getAlong();
  if (!values.getElementType().isSignlessInteger() || values.getElementTypeBitWidth() > 32)
    return op.emitOpError("expects integers of at most 32 bits, got ") << values;
  if (indices != rank)
    return op.emitOpError("expects ") << rank << " indices, got " << indices;
  if (along < 0 || along >= rank)
    return op.emitOpError("expects a line along a dimension below ") << rank << ", got " << along;
  return success();
}

LogicalResult FirstAboveOp::verify() { return verifyLine(*this); }

LogicalResult ExtremesOp::verify() { return verifyLine(*this); }

LogicalResult CollectOp::verify() {
  if (int64_t most = getMost(); most < 1 || most > mostPlaces)
    return emitOpError("expects a list of 1 to ") << mostPlaces << " places, got " << most;
  return success();
}

static LogicalResult verifyCollected(Operation *op) {
  if (op->getParentOfType<CollectOp>())
    return success();
  return op->emitOpError("expects to stand in a tile.collect");
}

LogicalResult MarkOp::verify() { return verifyCollected(*this); }

LogicalResult CommonOp::verify() {
  if ((*this)->getParentOfType<EachOp>())
    return emitOpError("expects not to stand in a tile.each: all threads meet in it");
  return verifyCollected(*this);
}

LogicalResult EachOp::verify() { return verifyCollected(*this); }

ParseResult EachOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument number;
  OpAsmParser::UnresolvedOperand from, to;
  Type index = number.type = parser.getBuilder().getIndexType();
  return failure(parser.parseArgument(number) || parser.parseKeyword("in") || parser.parseLSquare() ||
                 parser.parseOperand(from) || parser.parseKeyword("to") || parser.parseOperand(to) ||
                 parser.parseRSquare() || parser.resolveOperand(from, index, result.operands) ||
                 parser.resolveOperand(to, index, result.operands) || parser.parseRegion(*result.addRegion(), number) ||
                 parser.parseOptionalAttrDict(result.attributes));
}

void EachOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getBody().getArgument(0) << " in [" << getFrom() << " to " << getTo() << "] ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs());
}

//===-- products ---------------------------------------------------------------===//

/// The rules of a product, begun or done, whose tile is `result`.
template <typename Op> static LogicalResult verifyProduct(Op op, RankedTensorType result) {
  auto lhs = cast<RankedTensorType>(op.getLhs().getType()), rhs = cast<RankedTensorType>(op.getRhs().getType());
  if (lhs.getRank() != 2 || rhs.getRank() != 2 || result.getRank() != 2)
    return op.emitOpError("expects tiles of rank 2");
  if (lhs.getElementType() != rhs.getElementType() || lhs.getElementTypeBitWidth() != 16)
    return op.emitOpError("expects operands of one 16-bit type, got ")
           << lhs.getElementType() << " and " << rhs.getElementType();
  if (!result.getElementType().isF32())
    return op.emitOpError("expects a product in f32, got ") << result.getElementType();
  int64_t inner = rhs.getDimSize(op.getTransB() ? 1 : 0), columns = rhs.getDimSize(op.getTransB() ? 0 : 1);
  if (lhs.getDimSize(1) != inner || result.getDimSize(0) != lhs.getDimSize(0) || result.getDimSize(1) != columns)
    return op.emitOpError("expects a product of ") << lhs.getDimSize(0) << "x" << columns << " over " << inner
                                                   << ", got " << result << " from " << lhs << " and " << rhs;
  if (op.getAcc() && op.getAcc().getType() != result)
    return op.emitOpError("expects an accumulator of ") << result << ", got " << op.getAcc().getType();
  if (encodingOf<SharedAttr>(result))
    return op.emitOpError("expects its result in registers");
  return success();
}

LogicalResult DotOp::verify() { return verifyProduct(*this, cast<RankedTensorType>(getResult().getType())); }

LogicalResult DotStartOp::verify() { return verifyProduct(*this, getResult().getType().getTile()); }

LogicalResult DotWaitOp::verify() {
  if (getProduct().getType().getTile() != getResult().getType())
    return emitOpError("expects a tile of ") << getProduct().getType().getTile() << ", got " << getResult().getType();
  for (Operation *user : getProduct().getUsers())
    if (user != *this && isa<DotWaitOp>(user) && user->getBlock() == (*this)->getBlock())
      return emitOpError("expects a product that nothing else waits for").attachNote(user->getLoc())
             << "the other wait";
  if (int64_t leaving = getLeaving(); leaving < 0)
    return emitOpError("expects to leave 0 or more products running, got ") << leaving;
  return success();
}

LogicalResult RolesOp::verify() {
  for (auto [warps, registers] :
       {std::pair(getLoadWarps(), getLoadRegisters()), std::pair(getComputeWarps(), getComputeRegisters())}) {
    if (static_cast<int64_t>(warps) <= 0 || warps % 4)
      return emitOpError("expects warps in fours, got ") << warps;
    if (registers < 24 || registers > 256 || registers % 8)
      return emitOpError("expects registers to be a multiple of 8 from 24 to 256, got ") << registers;
  }
  WalkResult result = (*this)->walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && !(*this)->isAncestor(operand.getParentRegion()->getParentOp())) {
        op->emitOpError("expects no tile from outside its role, got one of ") << operand.getType();
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult ConvertOp::verify() {
  auto from = cast<RankedTensorType>(getTile().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getShape() != to.getShape() || from.getElementType() != to.getElementType())
    return emitOpError("expects the same elements on both sides, got ") << from << " and " << to;
  return success();
}

/// Nothing is written to a result that nobody asked for.
LogicalResult StoreOp::canonicalize(StoreOp op, PatternRewriter &rewriter) {
  if (!op.getView().getDefiningOp<AbsentOp>())
    return failure();
  rewriter.eraseOp(op);
  return success();
}

} // namespace attn::tile
