// SPDX-License-Identifier: Apache-2.0
// The chip table, and its form as an attribute.
#include "dialect/Target.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace attn {
namespace {

constexpr int64_t kilo = 1024, mega = 1024 * 1024, giga = 1'000'000'000, tera = 1'000 * giga;
constexpr auto mmaSync = MatrixGeneration::MmaSync;
constexpr auto wgmma = MatrixGeneration::Wgmma;

// One row per chip, for the largest board that carries it: its shared memory and registers hold for every board of the
// chip, its rates steer choices and predict times. PTX versions are the smallest that know the chip; 7.1 is also the
// smallest that every driver which can still be met translates.
const Target rows[] = {
    // A100 SXM, 80 GB
    {"sm_80", 71, mmaSync, 80, 163 * kilo, 164 * kilo, 65536, 255, 108, 40 * mega, 2039 * giga, 312 * tera, 64, 16,
     1'410'000'000},
    // A10
    {"sm_86", 71, mmaSync, 86, 99 * kilo, 100 * kilo, 65536, 255, 72, 6 * mega, 600 * giga, 125 * tera, 128, 16,
     1'695'000'000},
    // L40S
    {"sm_89", 78, mmaSync, 89, 99 * kilo, 100 * kilo, 65536, 255, 142, 96 * mega, 864 * giga, 362 * tera, 128, 16,
     2'520'000'000},
    // H200 SXM, by instructions that later chips have as well
    {"sm_90", 78, mmaSync, 90, 227 * kilo, 228 * kilo, 65536, 255, 132, 60 * mega, 4800 * giga, 989 * tera, 128, 16,
     1'830'000'000},
    // H200 SXM, by all it has
    {"sm_90a", 80, wgmma, 90, 227 * kilo, 228 * kilo, 65536, 255, 132, 60 * mega, 4800 * giga, 989 * tera, 128, 16,
     1'830'000'000},
};

/// The numbers of a row and what they are called in the attribute.
struct Entry {
  StringLiteral name;
  int64_t Target::*field;
};
const Entry entries[] = {
    {"ptx_version", &Target::ptxVersion},
    {"compute_capability", &Target::computeCapability},
    {"shared_per_program", &Target::sharedPerProgram},
    {"shared_per_sm", &Target::sharedPerSm},
    {"registers_per_sm", &Target::registersPerSm},
    {"registers_per_thread", &Target::registersPerThread},
    {"sms", &Target::sms},
    {"l2_bytes", &Target::l2Bytes},
    {"hbm_bytes_per_s", &Target::hbmBytesPerSecond},
    {"matrix_flops_per_s", &Target::matrixFlopsPerSecond},
    {"fp32_per_clock", &Target::fp32PerClock},
    {"exp2_per_clock", &Target::exp2PerClock},
    {"clock_hz", &Target::clockHz},
};
constexpr StringLiteral chipName = "chip", matrixName = "matrix";

/// Reads the attribute entry by entry and reports everything that is wrong with it.
class Reader {
public:
  explicit Reader(ModuleOp module) : module(module) {}

  FailureOr<Target> read(DictionaryAttr attribute) {
    auto chip = attribute.getAs<StringAttr>(chipName);
    if (!chip) {
      fail() << "a chip, the name that PTX knows the hardware by";
      return failure();
    }
    known = lookupTarget(chip.getValue());
    if (known)
      target = *known;
    target.chip = chip.getValue().str();
    readMatrix(attribute);
    for (const Entry &entry : entries)
      readNumber(attribute, entry);
    for (NamedAttribute given : attribute)
      if (given.getName() != chipName && given.getName() != matrixName &&
          llvm::none_of(entries, [&](const Entry &entry) { return given.getName() == entry.name; }))
        fail() << "no entry '" << given.getName().getValue() << "'";
    if (failedOnce)
      return failure();
    return target;
  }

private:
  InFlightDiagnostic fail() {
    failedOnce = true;
    return module.emitOpError("expects in ") << targetAttrName << ' ';
  }

  void readMatrix(DictionaryAttr attribute) {
    Attribute given = attribute.get(matrixName);
    if (!given && known)
      return;
    auto name = dyn_cast_or_null<StringAttr>(given);
    for (MatrixGeneration generation : {mmaSync, wgmma})
      if (name && name.getValue() == stringify(generation)) {
        target.matrix = generation;
        return;
      }
    fail() << "'matrix' to be \"mma_sync\" or \"wgmma\", got " << (given ? print(given) : "nothing");
  }

  void readNumber(DictionaryAttr attribute, const Entry &entry) {
    Attribute given = attribute.get(entry.name);
    if (!given && known)
      return;
    if (auto number = dyn_cast_or_null<IntegerAttr>(given);
        number && number.getType().isSignlessInteger(64) && number.getInt() > 0)
      target.*entry.field = number.getInt();
    else
      fail() << "'" << entry.name << "' to be a positive i64, got " << (given ? print(given) : "nothing");
  }

  static std::string print(Attribute attribute) {
    std::string text;
    llvm::raw_string_ostream(text) << attribute;
    return text;
  }

  ModuleOp module;
  const Target *known = nullptr;
  Target target;
  bool failedOnce = false;
};

} // namespace

StringRef stringify(MatrixGeneration generation) {
  return generation == MatrixGeneration::MmaSync ? "mma_sync" : "wgmma";
}

const Target *lookupTarget(StringRef chip) {
  const Target *row = llvm::find_if(rows, [&](const Target &row) { return row.chip == chip; });
  return row == std::end(rows) ? nullptr : row;
}

const Target &defaultTarget() { return rows[0]; }

std::string targetNames() {
  return llvm::join(llvm::map_range(rows, [](const Target &row) { return row.chip; }), ", ");
}

DictionaryAttr targetToAttr(MLIRContext *context, const Target &target) {
  Builder builder(context);
  SmallVector<NamedAttribute> all = {builder.getNamedAttr(chipName, builder.getStringAttr(target.chip)),
                                     builder.getNamedAttr(matrixName, builder.getStringAttr(stringify(target.matrix)))};
  for (const Entry &entry : entries)
    all.push_back(builder.getNamedAttr(entry.name, builder.getI64IntegerAttr(target.*entry.field)));
  return builder.getDictionaryAttr(all);
}

FailureOr<Target> targetOf(Operation *op) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<ModuleOp>();
  // A module inside another one is compiled for what the outer one says.
  while (auto outer = module->getParentOfType<ModuleOp>())
    module = outer;
  Attribute attribute = module->getDiscardableAttr(targetAttrName);
  auto dictionary = dyn_cast_or_null<DictionaryAttr>(attribute);
  if (!dictionary)
    return module.emitOpError("expects ") << targetAttrName << ", a dictionary that describes the hardware";
  return Reader(module).read(dictionary);
}

} // namespace attn
