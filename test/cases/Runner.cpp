// SPDX-License-Identifier: Apache-2.0
// Runs cases in this process: spec to kernel file, kernel file to device, results beside the reference.
#include "test/cases/Runner.h"
#include "compiler/Compiler.h"
#include "test/cases/Bound.h"
#include "test/cases/CudaGraph.h"
#include "test/cases/Reference.h"
#include "test/cases/SpecText.h"

#include "llvm/Support/Error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

namespace attn::cases {

namespace {

/// Distance of a result from the exact one; infinite when one of the two is not a number or an infinity differs.
double distance(double value, double exact) {
  if (value == exact)
    return 0;
  double difference = std::fabs(value - exact);
  return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
}

std::string indexText(const std::vector<int64_t> &shape, size_t flat) {
  std::vector<int64_t> index(shape.size());
  for (size_t i = shape.size(); i-- != 0; flat /= static_cast<size_t>(shape[i]))
    index[i] = static_cast<int64_t>(flat % static_cast<size_t>(shape[i]));
  return fmt::format("{}", fmt::join(index, ", "));
}

/// A sentence when an output is too far from what it should be; empty when it is near enough.
std::string compare(const PlacedTensor &output, const std::vector<double> &exact, const std::vector<double> &own,
                    OutputError &error) {
  std::vector<double> values = output.values();
  if (values.size() != exact.size() || values.size() != own.size())
    return fmt::format("'{}' has {} elements, the interpreter's has {}", output.name, values.size(), exact.size());
  double unavoidable = 0;
  size_t worst = 0;
  error.name = output.name;
  for (size_t i = 0; i != values.size(); ++i) {
    // What does not exist of a cache stays as it is.
    if (output.updated && std::isnan(values[i]) && std::isnan(exact[i]))
      continue;
    unavoidable = std::max(unavoidable, distance(own[i], exact[i]));
    double here = distance(values[i], exact[i]);
    if (here > error.largest)
      error.largest = here, worst = i;
  }
  if (!std::isfinite(unavoidable))
    return fmt::format("the interpreter in the kernel's precisions gives '{}' a value that is not finite", output.name);
  error.allowed = 2 * unavoidable + 1e-5;
  if (error.largest <= error.allowed)
    return {};
  return fmt::format("'{}' at ({}) is {}, expected {}; the largest error is {:.3g}, allowed {:.3g}", output.name,
                     indexText(output.shape, worst), values[worst], exact[worst], error.largest, error.allowed);
}

/// A sentence when a kernel wrote between the elements of an output.
std::string gapFault(const PlacedTensor &before, const PlacedTensor &after) {
  size_t size = sizeOf(after.type);
  std::vector<bool> element(after.memory.size() / size, false);
  forEachIndex(after.shape,
               [&](const std::vector<int64_t> &index) { element[static_cast<size_t>(after.place(index))] = true; });
  for (size_t place = 0; place != element.size(); ++place)
    if (!element[place] && !std::equal(before.memory.begin() + static_cast<ptrdiff_t>(place * size),
                                       before.memory.begin() + static_cast<ptrdiff_t>((place + 1) * size),
                                       after.memory.begin() + static_cast<ptrdiff_t>(place * size)))
      return fmt::format("a gap of '{}' was written, {} elements behind its start", after.name, place);
  return {};
}

/// A sentence when results of f32 that differ in the order of their parts differ by more than some roundings.
std::string faultOfOrder(const std::vector<PlacedTensor> &a, const std::vector<PlacedTensor> &b) {
  constexpr double most = 1e-6;
  for (size_t i = 0; i != a.size(); ++i) {
    std::vector<double> one = a[i].values(), other = b[i].values();
    double largest = 0;
    for (double value : one)
      largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : largest;
    for (size_t n = 0; n != one.size(); ++n)
      if (distance(one[n], other[n]) > most * largest)
        return fmt::format("'{}' at ({}) is {} of parts in one order, {} in the other", a[i].name,
                           indexText(a[i].shape, n), one[n], other[n]);
  }
  return {};
}

bool sameBits(const std::vector<PlacedTensor> &a, const std::vector<PlacedTensor> &b) {
  for (size_t i = 0; i != a.size(); ++i)
    if (a[i].memory != b[i].memory)
      return false;
  return true;
}

/// What one sequence of the batch is of each tensor that holds something for every sequence.
std::vector<PlacedTensor> sequenceOf(const Case &c, std::vector<PlacedTensor> tensors, int64_t sequence) {
  for (PlacedTensor &tensor : tensors)
    if (isPerSequence(c, tensor.name)) {
      tensor.shape[0] = 1;
      tensor.offset += sequence * tensor.strides[0];
    }
  return tensors;
}

Arguments sequenceOf(const Case &c, const Arguments &given, int64_t sequence) {
  Arguments alone = given;
  alone.inputs = sequenceOf(c, given.inputs, sequence);
  alone.outputs = sequenceOf(c, given.outputs, sequence);
  return alone;
}

/// Whether a batch can be taken apart: not where sequences share keys by their numbers, or lie one behind the other. A
/// lone sequence of odd rows may be aligned, so that another kernel takes it.
bool canTakeApart(const Case &c) {
  std::string_view keys = c.value(KeyPlace), queries = c.value(QueryPlace);
  bool apart = keys == "dense" || keys.starts_with("pages") || keys == "runs16" || keys == "joined" || keys == "from" ||
               keys == "listed";
  return apart && !c.on(Step) && (queries == "dense" || queries == "from" || queries == "listed") &&
         !c.is(Layout, "odd");
}

} // namespace

Runner::Runner(RunnerOptions theOptions) : options(std::move(theOptions)) {}

Runner::Compiled &Runner::compile(const std::string &spec, const std::string &caseName) {
  auto found = kernels.find(spec);
  if (found != kernels.end())
    return found->second;
  CompileOptions compile;
  compile.target = options.target;
  llvm::Expected<std::string> text = compileSpec(spec, "case.mlir", compile);
  if (!text)
    throw Error("does not compile: " + llvm::toString(text.takeError()));
  if (!options.savePtx.empty())
    std::ofstream(fmt::format("{}/{}.{:.8}.ptx", options.savePtx, caseName, hexadecimal(hashOf(*text)))) << *text;
  return kernels.emplace(spec, Compiled{std::move(*text), {}}).first->second;
}

Kernel &Runner::load(Compiled &code, const std::string &deviceName) {
  std::shared_ptr<Kernel> &loaded = code.loaded[deviceName];
  if (!loaded) {
    std::shared_ptr<Device> &on = devices[deviceName];
    if (!on)
      on = Device::open(deviceName);
    loaded = on->loadText(code.text, "case", "case.ptx");
  }
  return *loaded;
}

std::vector<PlacedTensor> Runner::launch(Compiled &code, const std::string &deviceName, const Arguments &given) {
  Bound bound(load(code, deviceName), given);
  bound.launch();
  return bound.outputs();
}

std::vector<PlacedTensor> Runner::replayed(const std::string &spec, const Arguments &first, const Arguments &then) {
  Bound bound(load(compile(spec, "results"), options.device), first);
  Device &on = bound.device();
  if (options.device.starts_with("sim")) {
    bound.launch();
    bound.fill(then);
    bound.launch();
    return bound.outputs();
  }
  Stream stream = on.createStream();
  {
    CudaGraph graph(stream, [&] { bound.launch(stream); });
    bound.fill(then);
    graph.run();
    on.synchronize(stream);
  }
  on.destroyStream(stream);
  return bound.outputs();
}

std::vector<PlacedTensor> Runner::results(const std::string &spec, const Arguments &given, const std::string &order) {
  return launch(compile(spec, "results"), order.empty() ? options.device : order, given);
}

std::string Runner::faultOf(const std::vector<PlacedTensor> &outputs, const std::string &wantedSpec,
                            const Arguments &wantedOf) {
  Expected wanted = interpret(wantedSpec, wantedOf);
  std::string fault;
  for (size_t i = 0; i != outputs.size() && fault.empty(); ++i) {
    OutputError error;
    fault = compare(outputs[i], wanted.exact[i], wanted.own[i], error);
  }
  return fault;
}

Outcome Runner::run(const Case &c) {
  std::string spec = specText(c, options.schedule);
  return runSpecs(c, spec, spec);
}

void Runner::check(const Arguments &given, const std::vector<PlacedTensor> &outputs, const Expected &wanted,
                   Outcome &result) {
  for (size_t i = 0; i != outputs.size() && result.passed(); ++i) {
    OutputError error;
    result.fault = compare(outputs[i], wanted.exact[i], wanted.own[i], error);
    result.errors.push_back(error);
    if (result.passed())
      result.fault = gapFault(given.outputs[i], outputs[i]);
  }
}

Outcome Runner::run(const StepCase &c) {
  Outcome result;
  std::string where;
  try {
    Compiled &code = compile(c.spec, c.name);
    std::vector<PlacedTensor> first = launch(code, options.device, c.given);
    check(c.given, first, interpret(c.spec, c.given), result);
    for (const char *order : {"sim:resident=1", "sim:seed=1"}) {
      where = options.device == "sim" ? order : options.device;
      if (result.passed() && !sameBits(first, launch(code, where, c.given)))
        result.fault = "another run on " + where + " gives other bits";
    }
    where = options.device;
    if (c.reversed && result.passed())
      result.fault = faultOfOrder(first, launch(code, where, *c.reversed));
  } catch (const Error &failure) {
    result.fault = where.empty() ? failure.what() : fmt::format("{} (on {})", failure.what(), where);
  }
  return result;
}

Outcome Runner::run(const EdgeCase &c) {
  std::string spec = c.spec();
  Outcome result = runSpecs(c.of, spec, spec);
  if (!result.passed() || !c.runs)
    return result;
  Arguments given = makeArguments(c.of);
  std::vector<PlacedTensor> first = results(spec, given);
  for (unsigned run = 0; run != c.runs && result.passed(); ++run)
    if (!sameBits(first, results(spec, given, options.device == "sim" ? fmt::format("sim:seed={}", run % 10) : "")))
      result.fault = fmt::format("run {} gives other bits", run);
  return result;
}

std::string Runner::faultOfBatch(const Case &c, Compiled &code, const Arguments &given,
                                 const std::vector<PlacedTensor> &all) {
  if (c.streamK) // promises no more than the same bits in each run
    return {};
  if (c.batch() == 1 || !canTakeApart(c) || (!c.manyOrders && c.splits() < 2))
    return {};
  for (int64_t b = 0; b != c.batch(); ++b) {
    std::vector<PlacedTensor> alone = launch(code, options.device, sequenceOf(c, given, b)),
                              among = sequenceOf(c, all, b);
    for (size_t i = 0; i != alone.size(); ++i)
      if (alone[i].values() != among[i].values())
        return fmt::format("'{}' of sequence {} alone has other bits", alone[i].name, b);
  }
  return {};
}

Outcome Runner::runSpecs(const Case &c, const std::string &compiledSpec, const std::string &wantedSpec) {
  Outcome result;
  std::string where;
  try {
    Arguments given = makeArguments(c);
    Compiled &code = compile(compiledSpec, c.name());
    Expected wanted = interpret(wantedSpec, given);
    std::vector<PlacedTensor> first = launch(code, options.device, given);
    check(given, first, wanted, result);

    // Another order of events, another share of the work for a program, and a second run, must not change one bit.
    std::vector<std::string> orders(c.manyOrders ? 1 : 0, options.device);
    if (c.manyOrders && options.device == "sim")
      for (const char *order :
           {"sim:resident=1", "sim:seed=1", "sim:seed=2", "sim:multiprocessors=1", "sim:multiprocessors=1000000"})
        orders.push_back(order);
    for (const std::string &order : orders) {
      where = order;
      if (result.passed() && !sameBits(first, launch(code, order, given)))
        result.fault = "another run on " + order + " gives other bits";
    }
    if (result.passed())
      result.fault = faultOfBatch(c, code, given, first);
    if (c.accuracy && options.device == "sim" && result.passed()) {
      where = "sim:approx=worst,mma=truncate";
      check(given, launch(code, where, given), wanted, result);
      if (!result.passed())
        result.fault += " (on " + where + ")";
    }
  } catch (const Error &failure) {
    result.fault = where.empty() ? failure.what() : fmt::format("{} (on {})", failure.what(), where);
  }
  return result;
}

} // namespace attn::cases
