// SPDX-License-Identifier: Apache-2.0
// Score and mask functions become scalar code: each value once for the tile, a row, a column or an element.
#include "passes/FunctionEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/IndexRange.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;

namespace attn::tile {

Value floorDivide(ImplicitLocOpBuilder &builder, Value a, Value b) {
  IntegerAttr constant;
  if (matchPattern(b, m_Constant(&constant)) && constant.getValue().isPowerOf2() && constant.getInt() > 0) {
    Value shift =
        arith::ConstantOp::create(builder, builder.getIntegerAttr(a.getType(), constant.getValue().exactLogBase2()));
    return arith::ShRSIOp::create(builder, a, shift);
  }
  Value zero = arith::ConstantOp::create(builder, builder.getIntegerAttr(a.getType(), 0));
  Value one = arith::ConstantOp::create(builder, builder.getIntegerAttr(a.getType(), 1));
  Value quotient = arith::DivSIOp::create(builder, a, b);
  Value rest = arith::SubIOp::create(builder, a, arith::MulIOp::create(builder, quotient, b));
  Value inexact = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, rest, zero);
  Value signs = arith::XOrIOp::create(builder, rest, b);
  Value apart = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, signs, zero);
  Value down = arith::AndIOp::create(builder, inexact, apart);
  return arith::SelectOp::create(builder, down, arith::SubIOp::create(builder, quotient, one), quotient);
}

static bool keyLess(const std::tuple<Value, int64_t, int64_t> &a, const std::tuple<Value, int64_t, int64_t> &b) {
  auto plain = [](const auto &key) {
    return std::make_tuple(std::get<0>(key).getAsOpaquePointer(), std::get<1>(key), std::get<2>(key));
  };
  return plain(a) < plain(b);
}

FunctionEmitter::FunctionEmitter(TileLowering &lowering, func::FuncOp function, unsigned coordinates,
                                 ValueRange parameters, TilePlace place)
    : lowering(lowering), builder(lowering.builder), function(function), coordinates(coordinates),
      parameters(parameters), place(place), cache(keyLess) {
  unsigned count = function.getNumArguments() - coordinates - parameters.size();
  narrow = indexFitsInt32(function, coordinates, count);
  unsigned loadsBy = kUniform;
  function.walk([&](memref::LoadOp load) { loadsBy |= dependence(load.getResult()); });
  function.walk([&](MemberOp member) {
    for (Value index : member.getRow())
      loadsBy |= dependence(index);
  });
  for (BlockArgument argument : function.getArguments())
    if (isListedPosition(argument) && !argument.use_empty())
      loadsBy |= dependence(argument);
  loadsByPlace = loadsBy != kUniform;
  loadsByColumn = loadsBy & kOnColumn;
}

//===-- turns ------------------------------------------------------------------===//

bool FunctionEmitter::isHeavy() {
  if (loadsByColumn)
    return true;
  // The largest number of an element's values that are needed at once, where the body's order is kept.
  constexpr int64_t kMany = 3;
  llvm::DenseMap<Value, Operation *> lastUses;
  auto isOfElement = [&](Value value) { return (dependence(value) & kOnColumn) != 0; };
  for (Operation &op : function.getBody().front())
    for (Value operand : op.getOperands())
      if (isOfElement(operand))
        lastUses[operand] = &op;
  int64_t live = 0;
  llvm::SmallPtrSet<Value, 8> begun;
  for (Operation &op : function.getBody().front()) {
    for (Value operand : op.getOperands())
      if (isa<BlockArgument>(operand) && isOfElement(operand))
        live += begun.insert(operand).second;
    // A power is a subroutine of its own.
    if (live >= kMany || isa<math::PowFOp>(op))
      return true;
    for (auto [operand, last] : lastUses)
      live -= last == &op;
    for (Value result : op.getResults())
      live += lastUses.contains(result);
  }
  return false;
}

bool FunctionEmitter::isHeavy(const MaskTree &tree) {
  if (tree.kind == MaskTree::Kind::Opaque)
    return dependence(tree.condition) & kOnColumn;
  if (tree.kind == MaskTree::Kind::Affine)
    return tree.form.key && listsPositions(place.cols);
  return llvm::any_of(tree.children, [&](const MaskTree &child) { return isHeavy(child); });
}

void FunctionEmitter::waitFor(Value earlier) {
  Value zero = lowering.once("zero", [&] { return lowering.hiddenZero(); });
  Value bits = LLVM::BitcastOp::create(builder, builder.getI32Type(), earlier);
  turn = arith::AndIOp::create(builder, bits, zero);
}

//===-- coordinates ------------------------------------------------------------===//

Value FunctionEmitter::viewRow(int64_t slot) {
  Value base = arith::MulIOp::create(builder, lowering.warp, lowering.i32(place.rowsPerWarp));
  base = arith::AddIOp::create(builder, base, lowering.group);
  base = arith::AddIOp::create(builder, base, lowering.scalar(place.row));
  Value row = arith::AddIOp::create(builder, base, lowering.i32(slot * 8));
  if (!loadsByPlace)
    return row;
  const LoweredView &rows = lowering.view(place.rows);
  row = arith::MinSIOp::create(builder, row, arith::SubIOp::create(builder, rows.length, lowering.i32(1)));
  // Without rows there is no last one, and -1 has no token.
  return rows.packed == 1 ? row : arith::MaxSIOp::create(builder, row, lowering.i32(0)).getResult();
}

Value FunctionEmitter::rowIndex(int64_t slot) { return lowering.tokenOf(lowering.view(place.rows), viewRow(slot)); }

/// The column's number in the view.
Value FunctionEmitter::columnNumber(int64_t column) {
  Value base = arith::AddIOp::create(builder, lowering.scalar(place.col), lowering.quadColumn);
  Value index = arith::AddIOp::create(builder, base, lowering.i32(column));
  if (turn && byColumns())
    index = arith::OrIOp::create(builder, index, turn);
  if (!loadsByPlace)
    return index;
  Value last = arith::SubIOp::create(builder, lowering.view(place.cols).length, lowering.i32(1));
  return arith::MinSIOp::create(builder, index, last);
}

/// Whether an argument is a position that memory holds.
bool FunctionEmitter::isListedPosition(BlockArgument argument) {
  unsigned count = function.getNumArguments() - coordinates - parameters.size();
  unsigned coordinate = argument.getArgNumber() - coordinates;
  if (argument.getArgNumber() < coordinates || coordinate >= count)
    return false;
  if (count == 4)
    return coordinate == 3 && listsPositions(place.rows);
  return (coordinate == kQuery && listsPositions(place.rows)) || (coordinate == kKey && listsPositions(place.cols));
}

bool FunctionEmitter::listsPositions(Value viewValue) { return lowering.view(viewValue).positions != nullptr; }

Value FunctionEmitter::argument(BlockArgument argument, ElementPlace at) {
  unsigned number = argument.getArgNumber();
  if (number < coordinates)
    return element;
  unsigned count = function.getNumArguments() - coordinates - parameters.size();
  unsigned coordinate = number - coordinates;
  if (coordinate >= count)
    return lowering.scalar(parameters[coordinate - count]);
  const LoweredView &rows = lowering.view(place.rows);
  // Functions of rows alone have the coordinates b, h, row, q.
  if (count == 4 && coordinate == 3)
    coordinate = kQuery;
  switch (coordinate) {
  case kBatch:
    return rows.batch;
  case kHead:
    return rows.packed == 1 ? rows.head : lowering.headOf(rows, viewRow(at.slot));
  case kRow:
    return rowIndex(at.slot);
  case kQuery:
    return lowering.positionOf(rows, rowIndex(at.slot));
  case kColumn: {
    Value first = lowering.view(place.cols).index, column = columnNumber(at.column);
    return first ? arith::AddIOp::create(builder, column, first).getResult() : column;
  }
  default:
    return lowering.positionOf(lowering.view(place.cols), columnNumber(at.column));
  }
}

/// The row's index divided by a multiple of the tile's rows: the same for all of them, as tiles begin at multiples of
/// their rows. So it is with blocks of a list that are not smaller than tiles.
std::optional<int64_t> FunctionEmitter::divisorOfTile(Value value) {
  std::optional<ConstantDivision> division = ConstantDivision::match(value);
  int64_t rows = place.rowsPerWarp * lowering.warpCount();
  if (!division || coordinates != 0 || division->offset || division->dividend != function.getArgument(kRow) ||
      division->divisor % rows || lowering.view(place.rows).packed != 1)
    return std::nullopt;
  auto product = place.row.getDefiningOp<arith::MulIOp>();
  IntegerAttr factor;
  if (!product || !matchPattern(product.getRhs(), m_Constant(&factor)) || factor.getInt() % rows)
    return std::nullopt;
  return division->divisor;
}

unsigned FunctionEmitter::dependence(Value value) {
  auto [found, fresh] = dependences.try_emplace(value, kUniform);
  if (!fresh || divisorOfTile(value))
    return found->second;
  unsigned result = kUniform;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    unsigned count = function.getNumArguments() - coordinates - parameters.size();
    if (number < coordinates)
      result = kOnRow | kOnColumn;
    else if (number - coordinates == kHead)
      result = lowering.view(place.rows).packed == 1 ? kUniform : kOnRow;
    else if (number - coordinates < count && number - coordinates >= kRow) {
      bool column = count == 6 && (number - coordinates == kColumn || number - coordinates == kKey);
      result = column ? kOnColumn : kOnRow;
    }
  } else {
    for (Value operand : value.getDefiningOp()->getOperands())
      result |= dependence(operand);
  }
  dependences[value] = result;
  return result;
}

//===-- values -----------------------------------------------------------------===//

Type FunctionEmitter::integerType(Type type) {
  return isa<IndexType>(type) ? (narrow ? builder.getI32Type() : builder.getI64Type()) : type;
}

Value FunctionEmitter::resize(Value value, Type type) {
  if (value.getType() == type || !type.isSignlessInteger() || !value.getType().isSignlessInteger())
    return value;
  if (value.getType().getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(builder, type, value);
  return arith::ExtSIOp::create(builder, type, value);
}

FailureOr<Value> FunctionEmitter::value(Value value, ElementPlace at) {
  unsigned depends = dependence(value);
  Key key{value, depends & kOnRow ? at.slot : -1, depends & kOnColumn ? at.column : -1};
  auto found = cache.find(key);
  if (found != cache.end())
    return found->second;
  OpBuilder::InsertionGuard guard(builder);
  // What is the same for the whole sequence and head is computed once, where the view of the rows was made.
  Operation *uniform = lowering.view(place.rows).uniformPoint;
  if (depends == kUniform)
    builder.setInsertionPoint(uniform);
  Value result;
  if (auto blockArgument = dyn_cast<BlockArgument>(value)) {
    result = argument(blockArgument, at);
    if (!isa<MemRefType>(value.getType()) && result)
      result = resize(result, integerType(value.getType()));
  } else {
    auto emitted = emit(*value.getDefiningOp(), at);
    if (failed(emitted))
      return failure();
    result = *emitted;
  }
  return cache[key] = result;
}

Value FunctionEmitter::byUniform(llvm::function_ref<Value()> create) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(lowering.view(place.rows).uniformPoint);
  return create();
}

Value FunctionEmitter::memoryOf(Value argument) {
  unsigned number = cast<BlockArgument>(argument).getArgNumber();
  return parameters[number - (function.getNumArguments() - parameters.size())];
}

FailureOr<Value> FunctionEmitter::addressOf(Value memory, ValueRange indices, ElementPlace at) {
  int64_t bytes = std::max<int64_t>(1, cast<MemRefType>(memory.getType()).getElementTypeBitWidth() / 8);
  Value address = lowering.pointerParameter(memory);
  auto addIndex = [&](unsigned dimension) -> LogicalResult {
    auto lowered = value(indices[dimension], at);
    if (failed(lowered))
      return failure();
    Value stride = byUniform([&]() -> Value {
      return arith::MulIOp::create(builder, lowering.strideParameter(memory, dimension), lowering.i64(bytes));
    });
    Value offset = arith::MulIOp::create(builder, resize(*lowered, builder.getI64Type()), stride);
    address = lowering.byteOffset(address, offset);
    return success();
  };
  // What is the same for all elements comes first and is computed once; an element then costs one multiply-add.
  LogicalResult done = success();
  byUniform([&]() -> Value {
    for (auto [dimension, index] : llvm::enumerate(indices))
      if (dependence(index) == kUniform && succeeded(done))
        done = addIndex(dimension);
    return address;
  });
  for (auto [dimension, index] : llvm::enumerate(indices))
    if (dependence(index) != kUniform && succeeded(done))
      done = addIndex(dimension);
  if (failed(done))
    return failure();
  return address;
}

FailureOr<Value> FunctionEmitter::emitLoad(memref::LoadOp op, ElementPlace at) {
  int64_t bytes = std::max<int64_t>(1, op.getMemRefType().getElementTypeBitWidth() / 8);
  auto address = addressOf(memoryOf(op.getMemref()), op.getIndices(), at);
  if (failed(address))
    return failure();
  Type type = op.getType().isInteger(1) ? builder.getI8Type() : op.getType();
  Value loaded = LLVM::LoadOp::create(builder, type, *address, bytes);
  if (op.getType().isInteger(1))
    loaded = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, loaded,
                                   arith::ConstantOp::create(builder, builder.getI8IntegerAttr(0)));
  return loaded;
}

FailureOr<ListRow> FunctionEmitter::listRow(MemberOp op, ElementPlace at) {
  Value list = memoryOf(op.getList());
  auto address = addressOf(list, op.getRow(), at);
  auto from = value(op.getFrom(), at), to = value(op.getTo(), at);
  if (failed(address) || failed(from) || failed(to))
    return failure();
  Type i64 = builder.getI64Type();
  return ListRow(lowering, list, op.getRow().size(), *address, resize(*from, i64), resize(*to, i64),
                 [&](ListRow::Create create) { return byUniform(create); });
}

FailureOr<Value> FunctionEmitter::emitMember(MemberOp op, ElementPlace at) {
  auto row = listRow(op, at);
  auto number = value(op.getValue(), at);
  if (failed(row) || failed(number))
    return failure();
  return row->holds(resize(*number, builder.getI64Type()));
}

/// By a value that is the same for the whole tile: a product with its inverse, which is computed once. Else the
/// division that is exact to two units in the last place; a correctly rounded one is a subroutine.
Value FunctionEmitter::emitDivision(Operation &op, ArrayRef<Value> operands) {
  if (dependence(op.getOperand(1)) != kUniform)
    return lowering.ptx("div.full.f32 $0, $1, $2;", "=f,f,f", builder.getF32Type(), operands);
  Value &inverse = inverses[op.getOperand(1)];
  if (!inverse)
    inverse = byUniform([&]() -> Value { return arith::DivFOp::create(builder, lowering.f32(1), operands[1]); });
  return arith::MulFOp::create(builder, operands[0], inverse);
}

/// Transcendental functions, from the approximate instructions: errors are some 2^-22 relative unless said.
FailureOr<Value> FunctionEmitter::emitMath(Operation &op, ArrayRef<Value> operands) {
  Type f32 = builder.getF32Type();
  auto multiply = [&](Value a, float b) -> Value { return arith::MulFOp::create(builder, a, lowering.f32(b)); };
  auto exp2 = [&](Value x) { return lowering.ptx("ex2.approx.ftz.f32 $0, $1;", "=f,f", f32, x); };
  auto log2 = [&](Value x) { return lowering.ptx("lg2.approx.f32 $0, $1;", "=f,f", f32, x); };
  constexpr float kLog2E = 1.44269502f, kLn2 = 0.693147182f;
  using Result = FailureOr<Value>;
  return llvm::TypeSwitch<Operation *, Result>(&op)
      .Case<math::Exp2Op>([&](auto) -> Result { return exp2(operands[0]); })
      .Case<math::ExpOp>([&](auto) -> Result { return exp2(multiply(operands[0], kLog2E)); })
      .Case<math::Log2Op>([&](auto) -> Result { return log2(operands[0]); })
      .Case<math::LogOp>([&](auto) -> Result { return multiply(log2(operands[0]), kLn2); })
      .Case<math::TanhOp>([&](auto) -> Result {
        // tanh x = 1 - 2 / (1 + 2^(2 x log2 e)): absolute error below 2^-22, where tanh.approx has 2^-11.
        Value power = exp2(multiply(operands[0], 2 * kLog2E));
        Value sum = arith::AddFOp::create(builder, power, lowering.f32(1));
        Value inverse = lowering.ptx("rcp.approx.ftz.f32 $0, $1;", "=f,f", f32, sum);
        return math::FmaOp::create(builder, inverse, lowering.f32(-2), lowering.f32(1)).getResult();
      })
      .Case<math::SqrtOp>([&](auto) -> Result { return lowering.ptx("sqrt.rn.f32 $0, $1;", "=f,f", f32, operands[0]); })
      .Case<math::RsqrtOp>(
          [&](auto) -> Result { return lowering.ptx("rsqrt.approx.f32 $0, $1;", "=f,f", f32, operands[0]); })
      .Case<math::PowFOp>([&](auto) -> Result { return emitPower(operands[0], operands[1]); })
      .Case<math::SinOp>(
          [&](auto) -> Result { return lowering.ptx("sin.approx.f32 $0, $1;", "=f,f", f32, operands[0]); })
      .Case<math::CosOp>(
          [&](auto) -> Result { return lowering.ptx("cos.approx.f32 $0, $1;", "=f,f", f32, operands[0]); })
      .Case<math::AbsFOp, math::FmaOp, math::AbsIOp, math::CtPopOp, math::FloorOp, math::CeilOp>(
          [&](Operation *op) -> Result {
            OperationState state(builder.getLoc(), op->getName(), operands, {integerType(op->getResult(0).getType())},
                                 op->getAttrs());
            return builder.create(state)->getResult(0);
          })
      .Default([&](Operation *op) -> Result {
        return op->emitOpError("has no PTX form yet: expects exp, exp2, log, log2, tanh, sqrt, rsqrt, powf, sin, cos, "
                               "absf, absi, fma, floor, ceil or ctpop");
      });
}

/// x^y by |x|^y: a negative x has powers of whole numbers only, negative ones where y is odd.
Value FunctionEmitter::emitPower(Value x, Value y) {
  auto multiply = [&](Value a, Value b) -> Value { return arith::MulFOp::create(builder, a, b); };
  auto compare = [&](arith::CmpFPredicate predicate, Value a, Value b) -> Value {
    return arith::CmpFOp::create(builder, predicate, a, b);
  };
  auto select = [&](Value condition, Value a, Value b) -> Value {
    return arith::SelectOp::create(builder, condition, a, b);
  };
  auto isWhole = [&](Value a) { return compare(arith::CmpFPredicate::OEQ, math::FloorOp::create(builder, a), a); };
  Type f32 = builder.getF32Type();
  Value logarithm = lowering.ptx("lg2.approx.f32 $0, $1;", "=f,f", f32, math::AbsFOp::create(builder, x).getResult());
  Value magnitude = lowering.ptx("ex2.approx.ftz.f32 $0, $1;", "=f,f", f32, multiply(y, logarithm));
  Value isEven = isWhole(multiply(y, lowering.f32(0.5f)));
  Value ofNegative = select(isEven, magnitude, arith::NegFOp::create(builder, magnitude));
  ofNegative = select(isWhole(y), ofNegative, lowering.f32(std::numeric_limits<float>::quiet_NaN()));
  Value zero = lowering.f32(0);
  Value power = select(compare(arith::CmpFPredicate::OLT, x, zero), ofNegative, magnitude);
  return select(compare(arith::CmpFPredicate::OEQ, y, zero), lowering.f32(1), power); // 0^0 is 1, too
}

FailureOr<Value> FunctionEmitter::emit(Operation &op, ElementPlace at) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return emitLoad(load, at);
  if (auto member = dyn_cast<MemberOp>(op))
    return emitMember(member, at);
  if (std::optional<int64_t> divisor = divisorOfTile(op.getResult(0))) {
    Value row = resize(lowering.scalar(place.row), integerType(op.getResult(0).getType()));
    Value by = arith::ConstantOp::create(builder, builder.getIntegerAttr(row.getType(), *divisor));
    return floorDivide(builder, row, by);
  }
  Type type = integerType(op.getResult(0).getType());
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto integer = dyn_cast<IntegerAttr>(constant.getValue());
    if (integer && isa<IndexType>(integer.getType()))
      return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, integer.getInt())).getResult();
    return arith::ConstantOp::create(builder, cast<TypedAttr>(constant.getValue())).getResult();
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    auto lowered = value(operand, at);
    if (failed(lowered))
      return failure();
    operands.push_back(*lowered);
  }
  if (isa<arith::IndexCastOp>(op))
    return resize(operands[0], type);
  if (isa<arith::FloorDivSIOp>(op))
    return floorDivide(builder, operands[0], operands[1]);
  if (isa<arith::CeilDivSIOp>(op)) {
    Value zero = arith::ConstantOp::create(builder, builder.getIntegerAttr(type, 0));
    Value negated = arith::SubIOp::create(builder, zero, operands[0]);
    return arith::SubIOp::create(builder, zero, floorDivide(builder, negated, operands[1])).getResult();
  }
  if (isa<arith::DivFOp>(op) && op.getResult(0).getType().isF32())
    return emitDivision(op, operands);
  if (op.getDialect()->getNamespace() == "math")
    return emitMath(op, operands);
  if (op.getDialect()->getNamespace() != "arith")
    return op.emitOpError("has no lowering in a score or mask function");
  OperationState state(builder.getLoc(), op.getName(), operands, {type}, op.getAttrs());
  return builder.create(state)->getResult(0);
}

FailureOr<Value> FunctionEmitter::result(ElementPlace at, Value elementValue) {
  element = elementValue;
  if (turn && !byColumns()) {
    Value bits = LLVM::BitcastOp::create(builder, builder.getI32Type(), element);
    bits = arith::OrIOp::create(builder, bits, turn);
    element = LLVM::BitcastOp::create(builder, builder.getF32Type(), bits);
  }
  return value(function.getBody().front().getTerminator()->getOperand(0), at);
}

} // namespace attn::tile
