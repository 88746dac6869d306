#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "mistaken.h"

/// What --graph draws.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;

TEST(GraphPicture, ShowsNodesExchangesAndDependencies) {
  App app;
  auto weather = app.source("weather", no_rows()).event_time(&Row::at);
  auto rows = app.source(no_rows()).event_time(&Row::at).depends_on(weather);
  rows.filter([](const Row&) { return true; })
      .key_by(&Row::key)
      .count("counts")
      .sink(kNothing, {.name = "out"});
  EXPECT_EQ(app.graph_dot(),
            "digraph slipstream {\n"
            "  rankdir=LR;\n"
            "  node [fontname=\"sans-serif\"];\n"
            "  n0 [shape=cds, label=\"source\\nweather\"];\n"
            "  n1 [shape=cds, label=\"source\\nin-memory records\"];\n"
            "  n2 [shape=box, label=\"filter\"];\n"
            "  n3 [shape=box3d, label=\"aggregate\\ncounts\"];\n"
            "  n4 [shape=note, label=\"sink\\nout\"];\n"
            "  n0 -> n1 [style=dashed, label=\"holds back\"];\n"
            "  n1 -> n2;\n"
            "  n2 -> n3 [label=\"by key\"];\n"
            "  n3 -> n4;\n"
            "}\n");
}

// A file's name on Windows, a query, a name of two lines: none may end the label or start another attribute.
TEST(GraphPicture, KeepsNamesInsideTheirQuotes) {
  App app;
  app.source("C:\\new \"rows\"", no_rows()).sink(kNothing, {.name = "two\nlines\", color=\"red\\"});
  EXPECT_EQ(app.graph_dot(),
            "digraph slipstream {\n"
            "  rankdir=LR;\n"
            "  node [fontname=\"sans-serif\"];\n"
            "  n0 [shape=cds, label=\"source\\nC:\\\\new \\\"rows\\\"\"];\n"
            "  n1 [shape=note, label=\"sink\\ntwo\\nlines\\\", color=\\\"red\\\\\"];\n"
            "  n0 -> n1;\n"
            "}\n");
}

}  // namespace
}  // namespace slipstream::test
