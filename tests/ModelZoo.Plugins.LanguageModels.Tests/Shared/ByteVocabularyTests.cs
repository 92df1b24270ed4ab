using System.Text;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class ByteVocabularyTests
{
    private static readonly ByteVocabulary Blt = new(260, Offset: 4, Start: 1, End: 2);

    [Theory]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("Käse 🧀 日本")]
    public void Decode_OfEncodedText_GivesItsBytes(string text)
    {
        Assert.Equal(Encoding.UTF8.GetBytes(text), Blt.Decode(Blt.Encode(text)));
        Assert.Equal(Encoding.UTF8.GetBytes(text), Blt.Decode(Blt.Begin(Blt.Encode(text))));
    }

    [Fact]
    public void Encode_EveryByte_HasAnIdOfItsOwnThatComesBack()
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        Assert.Equal(Enumerable.Range(4, 256), Blt.Encode(bytes));
        Assert.Equal(bytes, Blt.Decode(Blt.Encode(bytes)));
    }

    [Fact]
    public void ByteOf_Marks_AreNoBytes()
    {
        var hNet = new ByteVocabulary(256, Start: 254, End: 255);
        Assert.All([0, 1, 2, 3, 260], id => Assert.Null(Blt.ByteOf(id)));
        Assert.Null(hNet.ByteOf(254));
        Assert.Null(hNet.ByteOf(255));
        Assert.Equal((byte)253, hNet.ByteOf(253));
    }
}
