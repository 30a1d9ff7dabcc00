// SPDX-License-Identifier: Apache-2.0
// The page that says which features work together: templates/SUPPORT.md.
#pragma once

#include <string>

namespace attn::cases {

/// The page, from the table of axes and its rules. A pair of features without a rule against it is a yes, since a case
/// of pairwise() or places() has both; of every other the spec is given to the compiler, and its sentence is the reason.
/// Throws attn::Error with a sentence when a pair has neither: no case, or a rule that is not one of the language.
std::string supportPage();

} // namespace attn::cases
