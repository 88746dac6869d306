#pragma once

namespace slipstream {

/// For programs, before they open anything. A program that is started with standard input, output or error
/// closed (`>&-`) would get that number for the first file or socket it opens, and then read from or print
/// into it. This puts something in their places that fails: reading and writing them is an error.
void occupy_standard_descriptors();

}  // namespace slipstream
