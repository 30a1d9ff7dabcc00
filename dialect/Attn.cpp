// SPDX-License-Identifier: Apache-2.0
// The attn dialect: its attributes, and the text of a kernel, which keeps the names of arguments and results.
#include "dialect/Attn.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialect/AttnDialect.cpp.inc"
#include "dialect/AttnEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/AttnTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/AttnAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/AttnOps.cpp.inc"

using namespace mlir;

namespace attn {
namespace {

constexpr StringLiteral kNameAttr = "attn.name";

/// Types with names of dimensions are long: dumps call them !batch_seq_q_heads_head_dim_bf16.
struct TypeAliases : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Type type, raw_ostream &os) const final {
    auto tensor = dyn_cast<RankedTensorType>(type);
    auto dims = tensor ? dyn_cast_or_null<DimsAttr>(tensor.getEncoding()) : DimsAttr();
    if (!dims)
      return AliasResult::NoAlias;
    for (StringAttr name : dims.getNames())
      os << name.getValue() << '_';
    os << tensor.getElementType();
    return AliasResult::FinalAlias;
  }
};

} // namespace

void AttnDialect::initialize() {
  addInterfaces<TypeAliases>();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/AttnTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/AttnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/AttnOps.cpp.inc"
      >();
}

LogicalResult AttnDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() != sortedAttrName)
    return success();
  auto extract = dyn_cast<tensor::ExtractOp>(op);
  if (!extract || !extract.getTensor().getType().getElementType().isSignlessInteger() || extract.getIndices().empty())
    return op->emitOpError("expects 'attn.sorted' on a tensor.extract from integers only");
  if (!isa<UnitAttr>(attribute.getValue()))
    return op->emitOpError("expects 'attn.sorted' without a value, got ") << attribute.getValue();
  return success();
}

//===-- dims ---------------------------------------------------------------===//

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  auto parseName = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseName))
    return {};
  return get(parser.getContext(), names);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(getNames(), printer, [&](StringAttr name) { printer << name.getValue(); });
  printer << '>';
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getNames().size())
    return emitError() << "expects one name per dimension, got " << getNames().size() << " names for " << shape.size()
                       << " dimensions";
  llvm::StringSet<> seen;
  for (StringAttr name : getNames())
    if (!seen.insert(name.getValue()).second)
      return emitError() << "expects every dimension to have its own name, got '" << name.getValue() << "' twice";
  return success();
}

//===-- schedule -----------------------------------------------------------===//

namespace {
constexpr StringLiteral kScheduleKeys[] = {"block_q", "block_kv", "num_stages", "num_warps", "num_splits", "packed"};
constexpr unsigned kNumScheduleKeys = std::size(kScheduleKeys);

/// What has been read of a schedule<...>.
struct ScheduleText {
  StringAttr name;
  int64_t numbers[kNumScheduleKeys] = {};
  std::optional<Overlap> overlap;
  llvm::StringSet<> seen;
};

ParseResult parseOverlap(AsmParser &parser, ScheduleText &text) {
  StringRef word;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&word))
    return failure();
  text.overlap = symbolizeOverlap(word);
  if (!text.overlap)
    return parser.emitError(loc, "expects 'overlap' to be none, scores_ahead or output_behind, got '") << word << "'";
  return success();
}

/// One entry: the schedule's name, or a key with its value.
ParseResult parseScheduleEntry(AsmParser &parser, ScheduleText &text) {
  StringRef key;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&key))
    return failure();
  if (failed(parser.parseOptionalEqual())) {
    if (!text.name.empty())
      return parser.emitError(loc, "expects one schedule name, got '")
             << text.name.getValue() << "' and '" << key << "'";
    text.name = parser.getBuilder().getStringAttr(key);
    return success();
  }
  if (!text.seen.insert(key).second)
    return parser.emitError(loc, "expects every key of a schedule once, got '") << key << "' twice";
  if (key == "overlap")
    return parseOverlap(parser, text);
  const auto *found = llvm::find(kScheduleKeys, key);
  if (found == std::end(kScheduleKeys))
    return parser.emitError(loc,
                            "expects block_q, block_kv, num_stages, num_warps, num_splits, packed or overlap, got '")
           << key << "'";
  int64_t &number = text.numbers[found - std::begin(kScheduleKeys)];
  if (parser.parseInteger(number))
    return failure();
  if (number <= 0)
    return parser.emitError(loc, "expects '") << key << "' to be positive, got " << number;
  return success();
}
} // namespace

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  ScheduleText text;
  text.name = parser.getBuilder().getStringAttr("");
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     [&] { return parseScheduleEntry(parser, text); }))
    return {};
  const int64_t *n = text.numbers;
  return get(parser.getContext(), text.name, n[0], n[1], n[2], n[3], n[4], n[5], text.overlap);
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  const int64_t numbers[kNumScheduleKeys] = {getBlockQ(),   getBlockKv(),   getNumStages(),
                                             getNumWarps(), getNumSplits(), getPacked()};
  const char *separator = "";
  auto next = [&]() -> AsmPrinter & {
    printer << separator;
    separator = ", ";
    return printer;
  };
  printer << '<';
  if (!getName().empty())
    next() << getName().getValue();
  for (auto [key, number] : llvm::zip(kScheduleKeys, numbers))
    if (number)
      next() << key << " = " << number;
  if (getOverlap())
    next() << "overlap = " << stringifyOverlap(*getOverlap());
  printer << '>';
}

//===-- kernel -------------------------------------------------------------===//

static DictionaryAttr named(Builder builder, StringRef name) {
  return builder.getDictionaryAttr(builder.getNamedAttr(kNameAttr, builder.getStringAttr(name)));
}

static ParseResult parseArguments(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::Argument> &arguments,
                                  SmallVectorImpl<Attribute> &names) {
  if (parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true))
    return failure();
  for (const OpAsmParser::Argument &argument : arguments) {
    StringRef name = argument.ssaName.name.drop_front();
    // A number is no name: it would not survive printing, and nobody could give it at launch.
    if (llvm::isDigit(name.front()))
      return parser.emitError(argument.ssaName.location, "expects an argument with a name, got '%") << name << "'";
    names.push_back(named(parser.getBuilder(), name));
  }
  return success();
}

static ParseResult parseResults(OpAsmParser &parser, SmallVectorImpl<Type> &types, SmallVectorImpl<Attribute> &names) {
  if (failed(parser.parseOptionalArrow()))
    return success();
  auto parseResult = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseColonType(types.emplace_back()))
      return failure();
    names.push_back(named(parser.getBuilder(), name));
    return success();
  };
  return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, parseResult);
}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Type> argumentTypes, resultTypes;
  SmallVector<Attribute> argumentNames, resultNames;
  Builder builder = parser.getBuilder();
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name), result.attributes) ||
      parseArguments(parser, arguments, argumentNames) || parseResults(parser, resultTypes, resultNames))
    return failure();
  for (const OpAsmParser::Argument &argument : arguments)
    argumentTypes.push_back(argument.type);
  result.addAttribute(getFunctionTypeAttrName(result.name),
                      TypeAttr::get(builder.getFunctionType(argumentTypes, resultTypes)));
  if (!argumentNames.empty())
    result.addAttribute(getArgAttrsAttrName(result.name), builder.getArrayAttr(argumentNames));
  if (!resultNames.empty())
    result.addAttribute(getResAttrsAttrName(result.name), builder.getArrayAttr(resultNames));
  if (succeeded(parser.parseOptionalKeyword("schedule"))) {
    Attribute schedule = ScheduleAttr::parse(parser, {});
    if (!schedule)
      return failure();
    result.addAttribute(getScheduleAttrName(result.name), schedule);
  }
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  return parser.parseRegion(*result.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(getBody().getArguments(), printer,
                        [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ')';
  if (!getResultTypes().empty()) {
    printer << " -> (";
    llvm::interleaveComma(llvm::enumerate(getResultTypes()), printer,
                          [&](auto result) { printer << resultName(result.index()) << ": " << result.value(); });
    printer << ')';
  }
  if (ScheduleAttr schedule = getScheduleAttr()) {
    printer << " schedule";
    schedule.print(printer);
  }
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {getSymNameAttrName(), getFunctionTypeAttrName(), getArgAttrsAttrName(),
                                            getResAttrsAttrName(), getScheduleAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void KernelOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  for (BlockArgument argument : region.getArguments())
    setName(argument, argName(argument.getArgNumber()));
}

StringRef KernelOp::argName(unsigned index) {
  auto name = getArgAttrOfType<StringAttr>(index, kNameAttr);
  return name ? name.getValue() : "?";
}

StringRef KernelOp::resultName(unsigned index) {
  auto name = getResultAttrOfType<StringAttr>(index, kNameAttr);
  return name ? name.getValue() : "?";
}

} // namespace attn
