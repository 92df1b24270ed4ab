using ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Tokompiler;

public sealed class TokompilerTests
{
    private const string Sample = """
        #include <stdio.h>
        #define SQUARE(x) ((x) * (x))
        typedef struct node { struct node *next; unsigned long key[2 + 1]; } node_t;
        static const char *const names[] = { "one\t", 'a' == L'b' ? "x" "y" : NULL };
        int (*table[4])(int, char **);
        /* sums */ static double sum(const node_t *list, int n, double *out) {
          double total = 0.5e-3f;
          node_t copy = (node_t) { .next = 0, .key = { [0] = 1 } };
          for (size_t i = 0; i < n; ++i) { total += (double)list[i].key[i % 3] * -1; list = list->next; }
          *list->next = copy, out[n-1] = total; // done
          if (!n) return sizeof(node_t); else do { n--; } while (n > 0x1Ful);
          switch (n) { case 'a': goto end; default: break; }
        end:
          printf("%d\n", SQUARE(n));
          return *out;
        }
        """;

    private static readonly Lexicalizer Reader = new();

    [Fact]
    public void Leaves_OfAProgram_AreItsTokensInOrder()
    {
        var leaves = Reader.Read("int main() { return a[n-1] - -1 + x-- ; }").Leaves();

        Assert.Equal("int main ( ) { return a [ n - 1 ] - -1 + x -- ; }", string.Join(' ', leaves));
    }

    [Theory]
    [InlineData("void f() { a * b; }", "Func f,Type a,Var b")]                      // a declaration by rank
    [InlineData("void f() { a = b * c; }", "Func f,Var a,Var b,Var c")]
    [InlineData("void f() { x = (T) { y }; }", "Func f,Var x,Type T,Var y")]
    [InlineData("void f() { x = (T)(y); }", "Func f,Var x,Func T,Var y")]           // a call, as far as a grammar can know
    [InlineData("void f() { *p.q = r; }", "Func f,Var p,Field q,Var r")]
    [InlineData("int a[N], *b[2], c(int d[3]);", "Arr a,Arr N,Arr b,Num 2,Func c,Arr d,Num 3")]
    [InlineData("struct s { int x : 3; } *v;", "Type s,Field x,Num 3,Var v")]
    public void Names_OfAProgram_HaveTheKindOfWhatIsAroundThem(string code, string expected) =>
        Assert.Equal(expected, string.Join(',', Reader.Read(code).Names().Select(name => $"{name.Kind} {name.Name}")));

    [Fact]
    public void Anonymize_ThroughTheNameMap_GivesTheProgramBack()
    {
        var program = Reader.Read(Sample);

        var (code, names, _) = TokompilerTokenizer.Anonymize(program, null);

        var anonymous = Reader.Read(code);
        var parts = new List<string>();
        var done = 0;
        foreach (var place in anonymous.Names())
        {
            parts.Add(code[done..place.Start]);
            parts.Add(names.GetValueOrDefault(place.Name, place.Name));
            done = place.End;
        }

        Assert.Equal(Sample, string.Concat(parts) + code[done..]);
        Assert.DoesNotContain(anonymous.Names(), name => name.Kind is NameKind.Num or NameKind.Str or NameKind.Char);
    }

    [Fact]
    public void Read_OfAnError_KeepsEveryToken()
    {
        var leaves = Reader.Read("int f( { a b = = 3; @ }\nint g;").Leaves().Where(leaf => leaf.Length > 0);

        Assert.Equal("intf({ab==3;@}intg;", string.Concat(leaves));
    }

    [Theory]
    [InlineData("(")]
    [InlineData("{")]
    [InlineData("a[")]
    [InlineData("*")]
    [InlineData("#if X\n")]
    [InlineData("a ? b : ")]
    public void Read_OfDeepNesting_Ends(string opening)
    {
        var code = string.Concat(Enumerable.Repeat(opening, 2_000));

        Assert.Equal(code.Count(letter => letter == opening[0]), string.Concat(Reader.Read(code).Leaves()).Count(letter => letter == opening[0]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("  \n\n ")]
    [InlineData("/* only")]
    [InlineData("\"open")]
    [InlineData("#define")]
    [InlineData("\\")]
    [InlineData("\u0000\u4e2d@`$")]
    public void Read_OfAnyText_Ends(string code) => Assert.NotNull(Reader.Read(code).Leaves().ToList());
}
