using System.Text.Json.Nodes;
using ModelZoo.Host.Commands;

namespace ModelZoo.Host.Tests.Commands;

public sealed class InfoPageTests
{
    [Fact]
    public void Lines_LongValue_IsWrappedUnderItsLabel() => Assert.Equal(
        ["code license: one two", "  three four five six", "  seven"],
        InfoPage.Lines(new() { ["code_license"] = "one two three four five six seven" }, 22));

    [Fact]
    public void Lines_WordBeyondTheEdge_IsNotCut() => Assert.Equal(["folder:", "  " + new string('x', 40)], InfoPage.Lines(new() { ["folder"] = new string('x', 40) }, 20));

    [Fact]
    public void Lines_Sizes_StandInColumns() => Assert.Equal(
        ["sizes:", "  owner/a        1,000 parameters", "  owner/b: long     10 parameters; fid 2 on c"],
        InfoPage.Lines(new() { ["sizes"] = new JsonArray("owner/a: 1,000 parameters", "owner/b: long: 10 parameters; fid 2 on c") }, 80));

    [Fact]
    public void Lines_SameOptionsOfTwoVerbs_StandOnce() => Assert.Equal(
        ["verbs:", "  tokenize:", "    options:", "      size: integer", "  detokenize:", "    options: as tokenize"],
        InfoPage.Lines(new()
        {
            ["verbs"] = new JsonObject
            {
                ["tokenize"] = new JsonObject { ["options"] = new JsonArray("size: integer"), ["schema"] = new JsonObject() },
                ["detokenize"] = new JsonObject { ["options"] = new JsonArray("size: integer"), ["schema"] = new JsonObject() },
            },
        }, 80));

    [Fact]
    public void Lines_WhatProgramsRead_IsLeftOut() => Assert.Equal(
        ["id: a/b", "files:", "  a_b.pt: sha256 0"],
        InfoPage.Lines(new() { ["id"] = "a/b", ["architecture"] = "a/b", ["created"] = 0, ["owned_by"] = "c", ["files"] = new JsonObject { ["a_b.pt"] = "sha256 0" } }, 80));
}
