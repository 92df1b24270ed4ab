using System.Buffers.Binary;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Gnu;

/// <summary>
/// The order in which GNU's C++ library walks an <c>unordered_map</c> of strings. Papers whose authors' code breaks ties by it are reproduced with it: it depends on the keys and on the order in
/// which they came, on nothing else.
/// </summary>
/// <param name="capacity">Keys that room was made for before the first came; 0 for none.</param>
internal sealed class HashedOrder(int capacity = 0)
{
    private const int None = -1, Before = -2;   // no key; the place before the first key
    private const int SmallestTable = 11;

    // Sizes that a table may have.
    private static readonly int[] Primes =
    [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 103, 109, 113, 127, 137, 139, 149, 157, 167,
        179, 193, 199, 211, 227, 241, 257, 277, 293, 313, 337, 359, 383, 409, 439, 467, 503, 541, 577, 619, 661, 709, 761, 823, 887, 953, 1031, 1109,
        1193, 1289, 1381, 1493, 1613, 1741, 1879, 2029, 2179, 2357, 2549, 2753, 2971, 3209, 3469, 3739, 4027, 4349, 4703, 5087, 5503, 5953, 6427,
        6949, 7517, 8123, 8783, 9497, 10273, 11113, 12011, 12983, 14033, 15173, 16411, 17749, 19183, 20753, 22447, 24281, 26267, 28411, 30727, 33223,
        35933, 38873, 42043, 45481, 49201, 53201, 57557, 62233, 67307, 72817, 78779, 85229, 92203, 99733, 107897, 116731, 126271, 136607, 147793,
        159871, 172933, 187091, 202409, 218971, 236897, 256279, 277261, 299951, 324503, 351061, 379787, 410857, 444487, 480881, 520241, 562841,
        608903, 658753, 712697, 771049, 834181, 902483, 976369, 1056323, 1142821, 1236397, 1337629, 1447153, 1565659, 1693859, 1832561, 1982627,
        2144977, 2320627, 2510653, 2716249, 2938679, 3179303, 3439651, 3721303, 4026031, 4355707, 4712381, 5098259, 5515729, 5967347, 6456007,
        6984629, 7556579, 8175383, 8844859, 9569143, 10352717, 11200489, 12117689, 13109983, 14183539, 15345007, 16601593, 17961079, 19431899,
        21023161, 22744717, 24607243, 26622317, 28802401, 31160981, 33712729, 36473443, 39460231, 42691603, 46187573, 49969847, 54061849, 58488943,
        63278561, 68460391, 74066549, 80131819, 86693767, 93793069, 101473717, 109783337, 118773397, 128499677, 139022417, 150406843, 162723577,
        176048909, 190465427, 206062531, 222936881, 241193053, 260944219, 282312799, 305431229, 330442829, 357502601, 386778277, 418451333, 452718089,
        489790921, 529899637, 573292817, 620239453, 671030513, 725980837, 785430967, 849749479, 919334987, 994618837, 1076067617, 1164186217,
        1259520799, 1362662261, 1474249943, 1594975441, 1725587117, 1866894511, 2019773507,
    ];

    private readonly List<(ulong Hash, int Next)> _keys = [];
    private int[] _buckets = Filled(capacity == 0 ? 1 : AtLeast(capacity));   // for each, what comes before its first key
    private int _first = None;
    private int _room = capacity == 0 ? 0 : AtLeast(capacity);

    /// <summary>Adds a key that is not there yet; it is known by how many came before it.</summary>
    public void Add(ReadOnlySpan<byte> key)
    {
        if (_keys.Count + 1 > _room)
        {
            var least = Math.Max(_keys.Count + 1, _room == 0 ? SmallestTable : 0);
            if (least >= _buckets.Length) Rehash(AtLeast(Math.Max(least + 1, 2 * _buckets.Length)));
            _room = _buckets.Length;
        }

        _keys.Add((Hash(key), None));
        Link(_keys.Count - 1);
    }

    /// <summary>The keys in the order of a walk, each as the number of keys that came before it.</summary>
    public IEnumerable<int> Walk()
    {
        for (var key = _first; key != None; key = _keys[key].Next) yield return key;
    }

    /// <summary>MurmurHash2 of 64 bits, as <c>std::hash</c> has it.</summary>
    public static ulong Hash(ReadOnlySpan<byte> key)
    {
        const ulong multiplier = 0xC6A4A7935BD1E995;
        var hash = 0xC70F6907UL ^ ((ulong)key.Length * multiplier);
        for (; key.Length >= 8; key = key[8..])
        {
            var part = BinaryPrimitives.ReadUInt64LittleEndian(key) * multiplier;
            hash = (hash ^ ((part ^ (part >> 47)) * multiplier)) * multiplier;
        }

        if (key.Length > 0)
        {
            var rest = 0UL;
            for (var i = key.Length - 1; i >= 0; i--) rest = (rest << 8) + key[i];
            hash = (hash ^ rest) * multiplier;
        }

        hash = (hash ^ (hash >> 47)) * multiplier;
        return hash ^ (hash >> 47);
    }

    // A key goes to the front of its bucket; a bucket's first key goes to the front of all.
    private void Link(int key)
    {
        ref var before = ref _buckets[BucketOf(key)];
        if (before == None)
        {
            SetNext(key, _first);
            if (_first != None) _buckets[BucketOf(_first)] = key;
            _first = key;
            before = Before;
        }
        else
        {
            SetNext(key, before == Before ? _first : _keys[before].Next);
            if (before == Before) _first = key;
            else SetNext(before, key);
        }
    }

    // The keys go over in the order of a walk, each as if it were new.
    private void Rehash(int size)
    {
        int[] order = [.. Walk()];
        _buckets = Filled(size);
        _first = None;
        foreach (var key in order) Link(key);
    }

    private int BucketOf(int key) => (int)(_keys[key].Hash % (ulong)_buckets.Length);

    private void SetNext(int key, int next) => _keys[key] = (_keys[key].Hash, next);

    private static int AtLeast(int size)
    {
        var place = Array.BinarySearch(Primes, size);
        return Primes[place < 0 ? Math.Min(~place, Primes.Length - 1) : place];
    }

    private static int[] Filled(int size)
    {
        var buckets = new int[size];
        Array.Fill(buckets, None);
        return buckets;
    }
}
