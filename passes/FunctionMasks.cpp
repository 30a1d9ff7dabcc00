// SPDX-License-Identifier: Apache-2.0
// Masks from the trees that were read from their functions: limits of a row's columns, and bits of listed ones.
#include "passes/FunctionEmitter.h"

using namespace mlir;

namespace attn::tile {

/// What a form comes to without its key: a sum of integers of `type`.
FailureOr<Value> FunctionEmitter::sumOfRow(const AffineForm &form, int64_t slot, Type type) {
  auto constant = [&](int64_t c) -> Value {
    return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, c));
  };
  Value sum = constant(form.constant);
  auto add = [&](int64_t coefficient, Value x) {
    Value term = arith::MulIOp::create(builder, resize(x, type), constant(coefficient));
    sum = arith::AddIOp::create(builder, sum, term);
  };
  if (form.row)
    add(form.row, rowIndex(slot));
  if (form.query)
    add(form.query, lowering.positionOf(lowering.view(place.rows), rowIndex(slot)));
  for (const AffineForm::Term &term : form.symbols) {
    auto symbol = value(term.symbol, {slot, -1});
    if (failed(symbol))
      return failure();
    if (term.coefficient)
      add(term.coefficient, *symbol);
  }
  return sum;
}

/// With the column's coefficient k, the largest (k < 0) or smallest (k > 0) constant part of a column for which the
/// form holds in this row; for k = 0 whether it holds at all. i32, or i1 for k = 0.
FailureOr<Value> FunctionEmitter::limit(const AffineForm &form, int64_t slot) {
  int64_t k = form.key + form.column;
  // The sum fits 32 bits if it is a position, give or take a constant.
  constexpr int64_t kSize = int64_t(1) << 30;
  const LoweredView *cols = k ? &lowering.view(place.cols) : nullptr;
  Value firstKey = form.key ? (cols->position ? cols->position : cols->index) : Value();
  Value firstColumn = form.column ? cols->index : Value();
  bool small = form.symbols.empty() && std::abs(form.query) + std::abs(form.row) <= 1 &&
               std::abs(form.constant) < kSize / 2 && std::abs(k) <= 1 && !firstKey && !firstColumn;
  Type type = small ? builder.getI32Type() : builder.getI64Type();
  auto constant = [&](int64_t c) -> Value {
    return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, c));
  };
  auto sum = sumOfRow(form, slot, type);
  if (failed(sum))
    return failure();
  Value rest = *sum;
  auto add = [&](int64_t coefficient, Value x) {
    Value term = arith::MulIOp::create(builder, resize(x, type), constant(coefficient));
    rest = arith::AddIOp::create(builder, rest, term);
  };
  if (firstKey)
    add(form.key, firstKey);
  if (firstColumn)
    add(form.column, firstColumn);
  if (k == 0)
    return arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, rest, constant(0)).getResult();
  if (std::abs(k) > 1)
    rest = floorDivide(builder, rest, constant(std::abs(k)));
  if (k > 0)
    rest = arith::SubIOp::create(builder, constant(0), rest);
  Value base = arith::AddIOp::create(builder, lowering.scalar(place.col), lowering.quadColumn);
  rest = arith::SubIOp::create(builder, rest, resize(base, type));
  if (!small) {
    rest = arith::MaxSIOp::create(builder, rest, constant(-kSize));
    rest = arith::MinSIOp::create(builder, rest, constant(kSize));
  }
  return resize(rest, builder.getI32Type());
}

/// Whether the form is not negative, where positions of keys come from a list: there is no limit among columns then.
FailureOr<Value> FunctionEmitter::evaluate(const AffineForm &form, ElementPlace at) {
  Type type = builder.getI64Type();
  auto constant = [&](int64_t c) -> Value { return lowering.i64(c); };
  Value &known = limits[{&form, at.slot}]; // what the row says: all but the key
  if (!known) {
    auto ofRow = sumOfRow(form, at.slot, type);
    if (failed(ofRow))
      return failure();
    known = *ofRow;
  }
  Value sum = known;
  auto addOfColumn = [&](int64_t coefficient, unsigned coordinate) {
    auto of = value(function.getArgument(coordinates + coordinate), at);
    sum = arith::AddIOp::create(builder, sum, arith::MulIOp::create(builder, resize(*of, type), constant(coefficient)));
  };
  if (form.key)
    addOfColumn(form.key, kKey);
  if (form.column)
    addOfColumn(form.column, kColumn);
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, sum, constant(0)).getResult();
}

bool FunctionEmitter::dependsOnRow(const AffineForm &form) {
  return form.query || form.row ||
         llvm::any_of(form.symbols, [&](const AffineForm::Term &term) { return dependence(term.symbol) & kOnRow; });
}

/// Whether the number of a column is listed. Of a tile's columns all bits are found at once, for each row that has a
/// list or a number of its own: entries in it are visited once, and not searched for from every column.
FailureOr<Value> FunctionEmitter::memberBit(const MaskTree &tree, ElementPlace at) {
  auto op = tree.condition.getDefiningOp<MemberOp>();
  int64_t k = tree.form.key + tree.form.column;
  if (k == 0 || (tree.form.key && listsPositions(place.cols)))
    return value(tree.condition, at);
  bool byRow = dependsOnRow(tree.form) || llvm::any_of(op->getOperands().drop_front(),
                                                       [&](Value operand) { return dependence(operand) & kOnRow; });
  ElementPlace row{byRow ? at.slot : -1, -1};
  Registers &words = memberBits[{&tree, row.slot}];
  if (words.empty()) {
    Type i64 = builder.getI64Type();
    auto list = listRow(op, row);
    auto first = sumOfRow(tree.form, row.slot, i64);
    if (failed(list) || failed(first))
      return failure();
    const LoweredView &cols = lowering.view(place.cols);
    SmallVector<Value> begins = {lowering.scalar(place.col)};
    if (Value begin = tree.form.key && cols.position ? cols.position : cols.index)
      begins.push_back(begin);
    Value number = *first;
    for (Value begin : begins)
      number =
          arith::AddIOp::create(builder, number, arith::MulIOp::create(builder, resize(begin, i64), lowering.i64(k)));
    words = list->bits(number, k < 0, tree.divisor, place.columns);
    for (Value &word : words)
      word = arith::ShRUIOp::create(builder, word, lowering.quadColumn);
  }
  Value bit = arith::AndIOp::create(builder, words[at.column / 32], lowering.i32(int64_t(1) << (at.column % 32)));
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, bit, lowering.i32(0)).getResult();
}

FailureOr<Value> FunctionEmitter::compareAffine(const AffineForm &form, ElementPlace at) {
  if (form.key && listsPositions(place.cols))
    return evaluate(form, at);
  Value &known = limits[{&form, dependsOnRow(form) ? at.slot : -1}];
  if (!known) {
    auto fresh = limit(form, at.slot);
    if (failed(fresh))
      return failure();
    known = *fresh;
  }
  int64_t k = form.key + form.column;
  if (k == 0)
    return known;
  auto predicate = k < 0 ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle;
  return arith::CmpIOp::create(builder, predicate, known, lowering.i32(at.column)).getResult();
}

FailureOr<Value> FunctionEmitter::holds(const MaskTree &tree, ElementPlace at) {
  switch (tree.kind) {
  case MaskTree::Kind::True:
  case MaskTree::Kind::False:
    return arith::ConstantOp::create(builder, builder.getBoolAttr(tree.kind == MaskTree::Kind::True)).getResult();
  case MaskTree::Kind::Affine:
    return compareAffine(tree.form, at);
  case MaskTree::Kind::Member:
  case MaskTree::Kind::Opaque: {
    auto condition = tree.kind == MaskTree::Kind::Member ? memberBit(tree, at) : value(tree.condition, at);
    if (failed(condition) || !tree.negated)
      return condition;
    Value yes = arith::ConstantOp::create(builder, builder.getBoolAttr(true));
    return arith::XOrIOp::create(builder, *condition, yes).getResult();
  }
  case MaskTree::Kind::Residue:
  case MaskTree::Kind::Ordered:
    llvm_unreachable("the tree of a function has opaque conditions in their place");
  case MaskTree::Kind::And:
  case MaskTree::Kind::Or: {
    Value all;
    for (const MaskTree &child : tree.children) {
      auto holdsChild = holds(child, at);
      if (failed(holdsChild))
        return failure();
      if (!all)
        all = *holdsChild;
      else if (tree.kind == MaskTree::Kind::And)
        all = arith::AndIOp::create(builder, all, *holdsChild);
      else
        all = arith::OrIOp::create(builder, all, *holdsChild);
    }
    return all;
  }
  }
  llvm_unreachable("every kind of tree is handled");
}

} // namespace attn::tile
