// SPDX-License-Identifier: Apache-2.0
// attn-cases: runs the correctness cases, or its share of them, and counts.
#include "test/cases/Relations.h"
#include "test/cases/Runner.h"
#include "test/cases/Sensitivity.h"
#include "test/cases/SpecText.h"
#include "test/cases/Support.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <regex>

using namespace attn;
using namespace attn::cases;

namespace {

constexpr const char *Usage = R"(usage: attn-cases [options]

Compiles the spec of every case, runs it on a device and compares it with the interpreter.

  --target sm_NN     what to compile for (default: sm_80)
  --schedule TEXT    what every kernel has in its schedule<...>, "overlap = scores_ahead" say
  --device NAME      where to run (default: sim)
  --shard I/N        only the I-th of N shares, counted from 0
  --filter REGEX     only cases whose name matches
  --all              all shapes times all features alone and in pairs, in place of the standard list
  --triples SEED     200 cases with three random features each, in place of the standard list
  --matrix           print templates/SUPPORT.md and run nothing
  --list             print the names and run nothing
  --specs            print the specs and run nothing
  --save-ptx DIR     write every distinct kernel file there
  --verbose          print a line per case
)";

struct Settings {
  RunnerOptions run;
  std::string filter;
  size_t share = 0, shares = 1;
  std::optional<uint64_t> triples;
  bool all = false, matrix = false, list = false, specs = false, verbose = false;

  /// Whether the standard list is run, and with it what is no list of cases.
  bool standard() const { return !all && !triples; }
  /// The option that chooses the list.
  std::string again() const { return triples ? fmt::format(" --triples {}", *triples) : all ? " --all" : ""; }
};

[[noreturn]] void refuse(const std::string &sentence) {
  fmt::print(stderr, "attn-cases: {}\n", sentence);
  std::exit(2);
}

uint64_t seedOf(const std::string &number) {
  char *end = nullptr;
  uint64_t seed = std::strtoull(number.c_str(), &end, 10);
  if (number.empty() || *end)
    refuse(fmt::format("--triples expects a number, got '{}'", number));
  return seed;
}

Settings parse(int count, char **words) {
  Settings s;
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    auto next = [&] {
      if (++i >= count)
        refuse(fmt::format("{} expects a value", word));
      return std::string(words[i]);
    };
    if (word == "--target")
      s.run.target = next();
    else if (word == "--device")
      s.run.device = next();
    else if (word == "--schedule")
      s.run.schedule = next();
    else if (word == "--filter")
      s.filter = next();
    else if (word == "--save-ptx")
      s.run.savePtx = next();
    else if (word == "--shard") {
      if (std::sscanf(next().c_str(), "%zu/%zu", &s.share, &s.shares) != 2 || s.share >= s.shares)
        refuse("--shard expects I/N with I below N");
    } else if (word == "--all")
      s.all = true;
    else if (word == "--triples") {
      s.triples = seedOf(next());
    } else if (word == "--matrix")
      s.matrix = true;
    else if (word == "--list")
      s.list = true;
    else if (word == "--specs")
      s.specs = true;
    else if (word == "--verbose")
      s.verbose = true;
    else if (word == "--help") {
      fmt::print("{}", Usage);
      std::exit(0);
    } else
      refuse(fmt::format("expects one of its options, got '{}'; see --help", word));
  }
  return s;
}

/// The cases of this share. Cases of one spec stay together, since it is compiled once, and the shares cost alike.
std::vector<Case> chosen(const Settings &s) {
  std::vector<Case> cases = s.triples ? triples(*s.triples, 200) : s.all ? wholeProduct() : standard();
  if (!s.filter.empty()) {
    std::regex pattern(s.filter);
    std::erase_if(cases, [&](const Case &c) { return !std::regex_search(c.name(), pattern); });
  }
  if (s.shares == 1)
    return cases;
  struct Family {
    std::vector<size_t> members;
    double cost = 3e7; // of compiling
  };
  std::map<std::string, Family> families;
  for (size_t i = 0; i != cases.size(); ++i) {
    Family &home = families[specText(cases[i], s.run.schedule)];
    home.members.push_back(i);
    home.cost += cases[i].cost();
  }
  std::vector<const Family *> byCost;
  for (const auto &[spec, home] : families)
    byCost.push_back(&home);
  std::stable_sort(byCost.begin(), byCost.end(), [](auto *a, auto *b) { return a->cost > b->cost; });
  std::vector<double> load(s.shares, 0);
  std::vector<size_t> mine;
  for (const Family *home : byCost) {
    size_t lightest = static_cast<size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    load[lightest] += home->cost;
    if (lightest == s.share)
      mine.insert(mine.end(), home->members.begin(), home->members.end());
  }
  std::sort(mine.begin(), mine.end());
  std::vector<Case> share;
  for (size_t i : mine)
    share.push_back(cases[i]);
  return share;
}

/// The merges, appends and selections of this share: every so many of them.
std::vector<StepCase> chosenSteps(const Settings &s) {
  std::vector<StepCase> share;
  std::regex pattern(s.filter);
  size_t number = 0;
  for (std::vector<StepCase> cases : {mergeCases(), appendCases(), selectCases()})
    for (StepCase &c : cases)
      if (std::regex_search(c.name, pattern) && number++ % s.shares == s.share)
        share.push_back(std::move(c));
  return share;
}

std::vector<EdgeCase> chosenEdges(const Settings &s) {
  std::vector<EdgeCase> share;
  std::regex pattern(s.filter);
  size_t number = 0;
  for (EdgeCase &c : edgeCases())
    if (std::regex_search(c.name, pattern) && number++ % s.shares == s.share)
      share.push_back(std::move(c));
  return share;
}

/// What no list covers of the checklist of edges.
std::string missingEdges() {
  std::vector<std::string> names;
  for (const Case &c : standard())
    names.push_back(c.name());
  for (const EdgeCase &c : edgeCases())
    names.push_back(c.name);
  for (const std::vector<StepCase> &cases : {mergeCases(), appendCases()})
    for (const StepCase &c : cases)
      names.push_back(c.name);
  for (const Relation &relation : relations())
    names.push_back(relation.name);
  return faultOfEdgeItems(names);
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string errorsText(const Outcome &result) {
  std::string text;
  for (const OutputError &error : result.errors)
    text += fmt::format(" {} {:.2g} of {:.2g}", error.name, error.largest, error.allowed);
  return text;
}

template <typename Report> void runWrongKernels(const Settings &s, Runner &theRunner, Report &&report) {
  // The tests of the test are few; the first share does them.
  if (s.share == 0 && s.run.device == "sim" && !s.triples)
    for (const WrongKernel &wrong : wrongKernels())
      if (std::regex_search(wrong.name, std::regex(s.filter)))
        report(wrong.name, insensitivity(theRunner, wrong), 0, {});
}

int runAll(const Settings &s, const std::vector<Case> &cases, const std::vector<StepCase> &steps,
           const std::vector<EdgeCase> &edges) {
  auto start = std::chrono::steady_clock::now();
  Runner theRunner(s.run);
  size_t passed = 0, failed = 0;
  double said = 0;
  auto report = [&](const std::string &name, const std::string &fault, double seconds, const std::string &detail) {
    (fault.empty() ? passed : failed)++;
    if (!fault.empty())
      fmt::print("FAIL: {}: {}\n  again: attn-cases --target {}{} --device {}{} --filter '^{}$'\n", name, fault,
                 s.run.target, s.run.schedule.empty() ? "" : fmt::format(" --schedule '{}'", s.run.schedule),
                 s.run.device, s.again(), name);
    else if (s.verbose)
      fmt::print("pass: {} {:.2f} s{}\n", name, seconds, detail);
    if (double now = secondsSince(start); now - said > 10) {
      said = now;
      fmt::print("{} of {} cases, {:.0f} s\n", passed + failed, cases.size() + steps.size() + edges.size(), now);
    }
    std::fflush(stdout);
  };
  auto runOne = [&](const auto &c, const std::string &name) {
    auto begin = std::chrono::steady_clock::now();
    Outcome result = theRunner.run(c);
    report(name, result.fault, secondsSince(begin), errorsText(result));
  };
  for (const Case &c : cases)
    runOne(c, c.name());
  for (const StepCase &c : steps)
    runOne(c, c.name);
  for (const EdgeCase &c : edges)
    runOne(c, c.name);
  if (s.standard() && s.share == 0 && std::regex_search("edge.items", std::regex(s.filter)))
    report("edge.items", missingEdges(), 0, {});
  for (size_t i = s.share; !s.triples && i < relations().size(); i += s.shares)
    if (const Relation &relation = relations()[i]; std::regex_search(relation.name, std::regex(s.filter))) {
      report(relation.name, relation.check(theRunner), 0, {});
    }
  runWrongKernels(s, theRunner, report);
  fmt::print("{} cases, {} kernels for {}, {:.1f} s\n", passed + failed, theRunner.kernelCount(), s.run.target,
             secondsSince(start));
  fmt::print("{} passed, {} failed, 0 skipped\n", passed, failed);
  return failed ? 1 : 0;
}

int printMatrix() {
  try {
    fmt::print("{}", supportPage());
    return 0;
  } catch (const Error &failure) {
    fmt::print(stderr, "attn-cases: {}\n", failure.what());
    return 1;
  }
}

} // namespace

int main(int count, char **words) {
  Settings s = parse(count, words);
  if (s.matrix)
    return printMatrix();
  if (s.triples)
    fmt::print("triples from seed {}\n", *s.triples);
  std::vector<Case> cases = chosen(s);
  std::vector<StepCase> steps = !s.standard() || !s.run.schedule.empty() ? std::vector<StepCase>{} : chosenSteps(s);
  std::vector<EdgeCase> edges = !s.standard() || !s.run.schedule.empty() ? std::vector<EdgeCase>{} : chosenEdges(s);
  if (!s.list && !s.specs)
    return runAll(s, cases, steps, edges);
  auto print = [&](const std::string &name, const std::string &spec) {
    fmt::print("{}{}\n{}", s.specs ? "// " : "", name, s.specs ? spec + "// -----\n" : "");
  };
  for (const Case &c : cases)
    print(c.name(), s.specs ? specText(c, s.run.schedule) : "");
  for (const StepCase &c : steps)
    print(c.name, c.spec);
  for (const EdgeCase &c : edges)
    print(c.name, c.spec());
  return 0;
}
