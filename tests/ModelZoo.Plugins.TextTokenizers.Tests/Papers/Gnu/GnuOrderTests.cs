using System.Text;
using ModelZoo.Plugins.TextTokenizers.Papers.Gnu;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Gnu;

/// <summary>Expected orders are what a program printed that g++ 12 compiled.</summary>
public sealed class GnuOrderTests
{
    [Theory]
    [InlineData("", 0x553e93901e462a6e)]
    [InlineData("abc", 0x32d82bf8ed3dba39)]
    [InlineData("hello, world!", 0x9d584b0c3050c028)]
    public void Hash_OfAString_IsThatOfTheLibrary(string key, ulong expected) => Assert.Equal(expected, HashedOrder.Hash(Encoding.UTF8.GetBytes(key)));

    [Theory]
    [InlineData(0, new[] { 18, 16, 0, 1, 2, 17, 13, 5, 7, 8, 14, 3, 4, 6, 9, 10, 15, 11, 19, 12 })]
    [InlineData(20, new[] { 12, 19, 11, 10, 9, 14, 13, 8, 17, 7, 6, 15, 5, 4, 16, 3, 2, 1, 18, 0 })]
    public void Walk_AfterGrowing_HasTheOrderOfTheLibrary(int capacity, int[] expected)
    {
        var order = new HashedOrder(capacity);
        for (var i = 0; i < 20; i++) order.Add(Encoding.UTF8.GetBytes($"word{new string('-', i % 3)}{i * i}"));

        Assert.Equal(expected, order.Walk());
    }

    [Fact]
    public void Pop_OfEqualItems_HasTheOrderOfTheLibrary()
    {
        var heap = new BinaryHeap<(int Key, int Number)>(Enumerable.Range(0, 12).Select(i => (i % 3, i)), (a, b) => a.Key < b.Key);
        heap.Push((1, 12));
        heap.Push((2, 13));

        int[] popped = [.. Enumerable.Range(0, 14).Select(_ => heap.Pop().Number)];

        Assert.Equal([11, 5, 13, 2, 8, 12, 10, 4, 7, 1, 6, 0, 3, 9], popped);
    }
}
