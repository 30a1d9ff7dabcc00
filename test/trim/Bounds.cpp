// SPDX-License-Identifier: Apache-2.0
// A small evaluator of index arithmetic, with 64-bit numbers, that insists on indices of 32 bits.
#include "Bounds.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attn::test {

namespace {
enum Kind {
  Constant,
  Add,
  Sub,
  Mul,
  Min,
  Max,
  FloorDiv,
  CeilDiv,
  And,
  Or,
  Xor,
  Select,
  Cast,
  Load,
  Size,
  FirstAbove,
  Least,
  Greatest,
  Collect,
  Record,
  CmpFirst
};

std::optional<int> kindOf(Operation &op) {
  return llvm::TypeSwitch<Operation *, std::optional<int>>(&op)
      .Case<arith::ConstantOp>([](auto) { return Constant; })
      .Case<arith::AddIOp>([](auto) { return Add; })
      .Case<arith::SubIOp>([](auto) { return Sub; })
      .Case<arith::MulIOp>([](auto) { return Mul; })
      .Case<arith::MinSIOp>([](auto) { return Min; })
      .Case<arith::MaxSIOp>([](auto) { return Max; })
      .Case<arith::FloorDivSIOp>([](auto) { return FloorDiv; })
      .Case<arith::CeilDivSIOp>([](auto) { return CeilDiv; })
      .Case<arith::AndIOp>([](auto) { return And; })
      .Case<arith::OrIOp>([](auto) { return Or; })
      .Case<arith::XOrIOp>([](auto) { return Xor; })
      .Case<arith::SelectOp>([](auto) { return Select; })
      .Case<arith::IndexCastOp>([](auto) { return Cast; })
      .Case<memref::LoadOp>([](auto) { return Load; })
      .Case<memref::DimOp>([](auto) { return Size; })
      .Case<tile::FirstAboveOp>([](auto) { return FirstAbove; })
      .Case<tile::ExtremesOp>([](auto) { return Least; })
      .Case<tile::CollectOp>([](auto) { return Collect; })
      .Case<arith::CmpIOp>([](auto compare) { return CmpFirst + static_cast<int>(compare.getPredicate()); })
      .Default(std::nullopt);
}
} // namespace

Bounds::Bounds(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    if (argument.getType().isIndex())
      arguments.push_back({argument.getArgNumber(), slot(argument)});
    else if (auto type = dyn_cast<MemRefType>(argument.getType()); type && type.getElementType().isInteger())
      memories.try_emplace(argument, memories.size());
  for (Operation &op : function.getBody().front().without_terminator())
    compile(op);
  values.resize(slots.size());
  loops.resize(loopSlots.size());
}

unsigned Bounds::slot(Value value) { return slots.try_emplace(value, slots.size()).first->second; }

void Bounds::compile(Operation &op) {
  if (isa<tile::ViewOp, tile::CountOp>(op))
    return;
  if (isa<scf::ForOp>(op))
    return compileLoop(op);
  std::optional<int> kind = kindOf(op);
  if (!kind) {
    fault = "cannot run " + op.getName().getStringRef().str();
    return;
  }
  Instruction instruction = {&op, *kind, slot(op.getResult(0)), 0, 0, 0, 0, op.getResult(0).getType().isIndex()};
  APInt number;
  if (matchPattern(op.getResult(0), m_ConstantInt(&number)))
    instruction.constant = number.getBitWidth() == 1 ? number.getZExtValue() : number.getSExtValue();
  ValueRange operands = op.getOperands();
  if (*kind == Load || *kind == Size || *kind == Least || *kind == FirstAbove) { // the tensor is their number
    Value tensor = operands[*kind == FirstAbove ? 1 : 0];
    instruction.constant = memories.lookup(tensor);
    SmallVector<Value> others(operands);
    llvm::erase(others, tensor);
    fill(instruction, others);
  } else if (*kind != Collect) {
    fill(instruction, operands);
  }
  program.push_back(instruction);
  if (*kind == Least) {
    instruction.kind = Greatest;
    instruction.result = slot(op.getResult(1));
    program.push_back(instruction);
  }
}

void Bounds::fill(Instruction &instruction, ValueRange operands) {
  for (auto [operand, field] : llvm::zip(operands, std::array{&instruction.a, &instruction.b, &instruction.c}))
    *field = slot(operand);
}

/// Either a loop over tiles, or rounds of them: those are unrolled here.
void Bounds::compileLoop(Operation &op) {
  auto loop = cast<scf::ForOp>(op);
  if (!loop.getBody()->getOps<scf::ForOp>().empty()) {
    APInt first, end;
    if (!matchPattern(loop.getLowerBound(), m_ConstantInt(&first)) ||
        !matchPattern(loop.getUpperBound(), m_ConstantInt(&end)))
      fault = "cannot run rounds of an unknown number";
    for (int64_t round = first.getSExtValue(); round < end.getSExtValue(); ++round) {
      program.push_back({&op, Constant, slot(loop.getInductionVar()), 0, 0, 0, round, true});
      for (Operation &inner : loop.getBody()->without_terminator())
        compile(inner);
    }
    return;
  }
  LoopSlots result = {slot(loop.getLowerBound()), slot(loop.getUpperBound()), 0, 0, false, false, ""};
  if (auto part = op.getAttrOfType<StringAttr>("tile.part"))
    result.part = part.str();
  loop.walk([&](tile::MaskOp mask) {
    result.masked = true;
    result.hasClause = static_cast<bool>(mask.getFreeFrom());
    if (result.hasClause) {
      result.freeFrom = slot(mask.getFreeFrom());
      result.freeTo = slot(mask.getFreeTo());
    }
  });
  program.push_back({&op, Record, 0, 0, 0, 0, static_cast<int64_t>(loopSlots.size()), false});
  loopSlots.push_back(result);
}

Loop Bounds::record(const LoopSlots &slots) const {
  Loop loop = {values[slots.first], values[slots.end], values[slots.first], values[slots.end], slots.part, listed};
  if (slots.hasClause) {
    loop.freeFrom = values[slots.freeFrom];
    loop.freeTo = values[slots.freeTo];
  } else if (slots.masked) {
    loop.freeTo = loop.first;
  }
  return loop;
}

/// Of elements a up to b, or, for a number a, b up to c.
int64_t Bounds::search(const Instruction &instruction, const std::vector<int32_t> &memory) const {
  bool above = instruction.kind == FirstAbove;
  int64_t from = values[above ? instruction.b : instruction.a], to = values[above ? instruction.c : instruction.b];
  if (from < 0 || to > int64_t(memory.size()))
    return INT64_MAX; // no index, and so a fault
  auto first = memory.begin() + from, end = memory.begin() + std::max(from, to);
  if (above)
    return std::upper_bound(first, end, values[instruction.a]) - memory.begin();
  if (first == end)
    return 0;
  return instruction.kind == Least ? *std::min_element(first, end) : *std::max_element(first, end);
}

std::vector<ListedTile> Bounds::list(tile::CollectOp op, Memories all) {
  ScalarEvaluator evaluator;
  for (auto [value, slot] : slots)
    evaluator.assign(value, value.getType().isInteger(1) ? -values[slot] : values[slot]); // true is -1 there
  for (auto [value, number] : memories)
    evaluator.assignSizes(value, {int64_t(all[number]->size())});
  evaluator.setReader([&](Value memref, ArrayRef<int64_t> indices) -> std::optional<int64_t> {
    const std::vector<int32_t> &memory = *all[memories.lookup(memref)];
    if (indices[0] < 0 || indices[0] >= int64_t(memory.size()))
      return std::nullopt;
    return memory[indices[0]];
  });
  Value unknown;
  auto tiles = runCollect(op, evaluator, unknown);
  if (!tiles)
    fault = "a list has an unknown value";
  return tiles.value_or(std::vector<ListedTile>());
}

int64_t Bounds::evaluate(const Instruction &instruction, Memories all) const {
  int64_t a = values[instruction.a], b = values[instruction.b];
  switch (instruction.kind) {
  case Constant:
    return instruction.constant;
  case Add:
    return a + b;
  case Sub:
    return a - b;
  case Mul:
    return a * b;
  case Min:
    return std::min(a, b);
  case Max:
    return std::max(a, b);
  case FloorDiv:
    return llvm::divideFloorSigned(a, b);
  case CeilDiv:
    return llvm::divideCeilSigned(a, b);
  case And:
    return a & b;
  case Or:
    return a | b;
  case Xor:
    return a ^ b;
  case Select:
    return a ? b : values[instruction.c];
  case Cast:
    return a;
  case Load:
    return a >= 0 && a < int64_t(all[instruction.constant]->size()) ? (*all[instruction.constant])[a] : INT64_MAX;
  case Size:
    return all[instruction.constant]->size();
  case FirstAbove:
  case Least:
  case Greatest:
    return search(instruction, *all[instruction.constant]);
  }
  auto predicate = static_cast<arith::CmpIPredicate>(instruction.kind - CmpFirst);
  return arith::applyCmpPredicate(predicate, APInt(64, a, true), APInt(64, b, true));
}

const std::vector<Loop> &Bounds::run(ArrayRef<int64_t> numbers, Memories all) {
  for (auto [argument, slot] : arguments)
    values[slot] = numbers[argument];
  for (const Instruction &instruction : program) {
    if (instruction.kind == Record) {
      loops[instruction.constant] = record(loopSlots[instruction.constant]);
      continue;
    }
    if (instruction.kind == Collect) {
      listed = list(cast<tile::CollectOp>(instruction.op), all);
      continue;
    }
    int64_t value = evaluate(instruction, all);
    values[instruction.result] = value;
    if (instruction.isIndex && (value < INT32_MIN || value > INT32_MAX) && fault.empty())
      fault = "an index of " + std::to_string(value) + " from " + instruction.op->getName().getStringRef().str();
  }
  return loops;
}

} // namespace attn::test
