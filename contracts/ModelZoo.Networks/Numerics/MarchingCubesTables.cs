// Tables of Lewiner, Lopes, Vieira, Tavares: Efficient implementation of Marching Cubes' cases with topological guarantees (2003), as distributed with scikit-image (BSD-3-Clause).
using System.IO.Compression;

namespace ModelZoo.Networks.Numerics;

/// <summary>A table of signed bytes of up to three dimensions.</summary>
/// <param name="Values">All values, row-major.</param>
/// <param name="Columns">Extent of the second dimension.</param>
/// <param name="Depth">Extent of the third dimension.</param>
internal sealed record MarchingCubesTable(sbyte[] Values, int Columns, int Depth)
{
    public int this[int i, int j = 0, int k = 0] => Values[(i * Columns + j) * Depth + k];
}

/// <summary>The case and tiling tables of marching cubes; data, deflated and in base 64.</summary>
internal static class MarchingCubesTables
{
    private static readonly (string Name, int Rows, int Columns, int Depth)[] Shapes =
    [
        ("classic", 256, 16, 1), ("cases", 256, 2, 1), ("tiling 1", 16, 3, 1), ("tiling 2", 24, 6, 1), ("tiling 3.1", 24, 6, 1), ("tiling 3.2", 24, 12, 1),
        ("tiling 4.1", 8, 6, 1), ("tiling 4.2", 8, 18, 1), ("tiling 5", 48, 9, 1), ("tiling 6.1.1", 48, 9, 1), ("tiling 6.1.2", 48, 27, 1), ("tiling 6.2", 48, 15, 1),
        ("tiling 7.1", 16, 9, 1), ("tiling 7.2", 16, 3, 15), ("tiling 7.3", 16, 3, 27), ("tiling 7.4.1", 16, 15, 1), ("tiling 7.4.2", 16, 27, 1), ("tiling 8", 6, 6, 1),
        ("tiling 9", 8, 12, 1), ("tiling 10.1.1", 6, 12, 1), ("tiling 10.1.1 inverted", 6, 12, 1), ("tiling 10.1.2", 6, 24, 1), ("tiling 10.2", 6, 24, 1),
        ("tiling 10.2 inverted", 6, 24, 1), ("tiling 11", 12, 12, 1), ("tiling 12.1.1", 24, 12, 1), ("tiling 12.1.1 inverted", 24, 12, 1), ("tiling 12.1.2", 24, 24, 1),
        ("tiling 12.2", 24, 24, 1), ("tiling 12.2 inverted", 24, 24, 1), ("tiling 13.1", 2, 12, 1), ("tiling 13.1 inverted", 2, 12, 1), ("tiling 13.2", 2, 6, 18),
        ("tiling 13.2 inverted", 2, 6, 18), ("tiling 13.3", 2, 12, 30), ("tiling 13.3 inverted", 2, 12, 30), ("tiling 13.4", 2, 4, 36), ("tiling 13.5.1", 2, 4, 18),
        ("tiling 13.5.2", 2, 4, 30), ("tiling 14", 12, 12, 1), ("test 3", 24, 1, 1), ("test 4", 8, 1, 1), ("test 6", 48, 3, 1), ("test 7", 16, 5, 1), ("test 10", 6, 3, 1),
        ("test 12", 24, 4, 1), ("test 13", 2, 7, 1), ("subconfig 13", 64, 1, 1),
    ];

    private const string Data =
        "fZyHlty4rkWZgyS3J8/NOaf3/5/WM57ptw9QxZLabnuturdLEkkQ4eAAYs3Ly/VfGPn6Pc7L9zjyHPH0PW2vx18uzbSFdJoijZy2sc1x+573dB2/p7GH0/wzpLyfvu8pzn2O+6W8xX07iRy2GMY29rsIeYa8z327izDHto3TfK" +
        "WPy/olh57LZf+j9NP9OEuPPcfH/i/3c+k5lIcK2D87eDzC1zR76rlPW4U7FxXspe+ppHAXYYbIIw8VcHsWNpRmirf9533royz9bLHsMfBcue1vBilgD/k2nuFz6WfWctk/3y8uEGqJ9WSPUcvINcf62P9lihwGl8q8369pqyWV" +
        "kNb+a04115LLuK13sS/2D2N/jGf9EOvjkcSXOvCRMuyRjd3H/BCBkUgwtnhzAYbXsNe1f8SvZxeYfdR+8s+Zw0S8fldB6CPEHuvdfrHmXE/2ZvysfYv3/fEXEtQcblMMjI/APFLTbf/pPEVn9JgPF+Ar7jFTSN1EZOd4QOzjJg" +
        "Luv8fel/5nHZo85s1VVDv7nZ1BYdu38MKHnW8oJXTu8b32vT7k31p9Hb91a6f9of3zd+KfiHhciq2mdsaDVmNqeMF9fKsztJDuz1cGoxAeSeO2v4sIO9ZP4XGJ+OORx3r8xRX5v5uw5b1hr7jsBXrsGCDWvTm+tJBbaFwyKyNO" +
        "m/u+8If5LhBA/BORrW4P/OGRR/wiWZwCgFv8NnZb42OKmKo2F/DvfotvZtD6roKeJyMzTjJbalP4R/A+9mvyCABu9g/Cm/FQwRT8JSCAONYlww8p4LbfGnH2FoPuh7ITP1OL57a3rF34/hEKHLH9lNnKCa8RpcztAQFbiBvqK3" +
        "cIwPwjttFKizYqlhkRt5Vz/M9U5u1SSKWkk/8A/+N8ifVZcU8P+yUF99zKdrNfClEC3NZrJfJXYZG4jz3iX2XmNgHB5vG2I19AAzMWnpX9MX9Y8rUy9nayd99aJ1/MbcV7DlsPCNU3t3ePW1f8jXD7zte48AHzo4445mhmb2ya" +
        "ZmwYfWZs/QJ89NDawr+eU+snvDf/lwD38YHksBPBrDO3TrwFLb7pu1DQ458gQC7b78QYnRXZZ8ztJcy4txM++fqACHFg3/d2iffe9st37Lf3dsl/l++D6M/xcQm8a3u/8AGmeFxKZL9tPr7zF09sI98oAKmtpbO8YXTMne7+ln" +
        "pLuT9YSGwpDqw7houAYjbwOa/47A31xNGjQ1BgcN8CImzd97v1bYzFBwjtfZz2R6Bk8KrcL7GVURooeMczvrQ8UUFut/E8kbZ43v8e2n6bomj4DgVKvuQ2QWriNzO+4LKE9iA/trtLhPOXO//RtZKHfy+xpPSQL2bUwRrNRYD+" +
        "bPK3lQ9bZmRDqDxZm/VL2075mnx5cQEin0sP+1bwv4THI9zhCeVvT0FkXlzgcR/7ogKf5eZfPFGgBB4CWfQB/KvkQa2C/bFwLfPMP+QAbXS3hx6AglSHoJYGd/AB8nisw9fH5O3mAlHuAP71QRDDCkoAScC/DbtnQtrtL5GG48" +
        "msDXo05sP+hEuoLbj8YR+hkk1r9S3iHi3XeuZ/qIsJ9tr8+Szjk/YAJVjgPip3mIP9hlRv4xUC1fkI9CGNyi5H8v3jX+BVWnxDyMMM3GfvfCcAzvk4AwUbFmYcWHCzvyiIx3vITH7C961e45+80ut++b73OvI9/nAFruCFK770" +
        "ACXAcBXsETPGXuOZ/+tCT7vzozoTaJiSQ0CviTtcIw9MtowjJPhkv+e/Af1DIayS6uIfeiBvrp8h5osHcJ+52P9psK1PvIPPix/h97JXX/wfgU54UwdpdGz74gOhYG72uLsKjP/rga0439xxnbrj3iXmWJA/Yr5ElFfHmwLUZp" +
        "5IeyQXk//EPNgx9/EF8IOHT/w6aXdEeM1O4bVv5cew6hvUg301Xijo90WBSnJ+AbmETy79lxrDSR9+XxQkuz7Lle9BJAr11Laf47+D+bdLEePvQE7oxb6zZ0KYDMx3dKHx0Ak2OJ0CT01HPtL+xSKYfhdehYUf+i4IScXzw4Z7" +
        "EOPdIYCcxxRcw47kwhdiFhVwJW6BWEYenOOCX7GID+fLd5UAnh8LCaCc9F1Gv9Y7Z+Nb/ptZ/HDxAdZVvlj1JgrJ2znfoR/qqXEZLwrk/CrgGuEUXzld863iXvXIwr8thZle31cJsDn+b9d6Gfif8SQ/+f/K5/N4+dy/8BJDjH" +
        "CslEk0oH1OUe4EjS1w9aBkg3eK4kFtdsEJlQ1844unfBz1F9RD8D88sFF4UOoWpbX9KbYvjwIz/yXB0esBZfzqqE+9/qZ9u5fjff0dOPSH9vd0RKhlrioQgMX9iWhttZcj1qc946u/ArgbE6T29RaPd+0XvR/zXezz+Kb9sb/L" +
        "R4KQ1Xd7ql8cnczy2/bdlo4v26+fZvtT/Xt6qt881VnrH2BZf67/TF8c37e/9qf8RfsfmfFbVVY4YlT26ODoAe2urR3E7vuZnlr9NUR9tHdPqX1zALPtl/WrkY4v6u/3Wf/U/pHeZfhMezrIUe/C8dRH+/7YttJ+c3wLSftnfl" +
        "e/pbgb9Y/HdzCvf+Wnp73+pf0nfdn+L39VOnEMG23vt1C/PES8flW/firHV+23xO2f6z/S+/rdXo+v2++etvaX9u9CbNa/9vf5y/qf9HX+Lm71+2N/Gu33s/Wj/iu/3/f2t/bfUut/89fpWzhyrX+r/05f1f/lb9J38aj/l77J" +
        "38d36fv4FN8HxTuwItayJ/UKqmoRkjbSYiIsQMDgs1FuGbG+93+8S+O9Eu/weJ/AuzFeEzqz8/raWZbXGp5xvA51NuKc3JHZ+bFnOY81RzSPC49mjyn3fO83edfCuat3jLxv49WrP+BM1fstXnV67ecMqFJSNchBBV126Ak0oQ" +
        "yQOkG9UUWKREMkrW/6P26JZ5PCKKxUiM3MXyPw2Kb2VrYmVLhxHTUU0AC0dhi5RLi8z2CNLDxZXmBNhtBUaiE+DABxq0iTiis0KVJlRBcolJ2MNMIsKH13S6CwIsqYZslMhGMXhwOJS+Ob6j11faBuTdxHHRB2vIuHqBuBC3dh" +
        "siozytGk+kJVToU6KdeIcYpkiVeKnyhBCGOVaUV2hXdCQbx/aHuquEZRTvPsm6C8wjAhqfcXvKrw3pl3gNAh+kSB6BYNo1X0KXOQPgcT8mE4H+rX2CZL82FRPpgq9Q0h+QCWfNhtLjtb4wMc87Hvu67NVO371JhN40bUuM5I5p" +
        "2aew+auzE7aw+tT+hrbSx871+uRuTqCK7W2OpBrmbeqmpWe2nVGatBuTplq2Wyek+rCF/djlX2rPp7EbFVUSxqtWrcRXYX61npf/UFV4NsdUpWybR6V6uIX92oVZas+ngR5VWRLGq2OO4iOyvrrnJ98bZVQC8msVLy4j6LBKxs" +
        "vNJqgzypOlfJStUm8ErU9/AZwQU4BYGj+kjw/F1tJ/gn0MYfoBvgplq2UIhj2bBJkyyKORIFZbeyDq3Ie9GABKM0ZOegIZwJkxgcMROOQ4yrCVkBHKwHSOL2QBhwuUXLkUN4BWzWqLgoDbbY1PaBa0+8CASh8hSOZZ4iXkWr9S" +
        "fgbDfQd2INHt9UIWsCQolymSkFYlpAKV1L7rCjgl4QhFhjDUQj4tQ1C0UoJ9GLgI7N4HPgIdsr6iyoMzkNG1HBFsQHUMqGlbKAHAFJk0XK4w+pEr4uRi0FCy2lboW5DNAV5jIJNTEVTpSh4pEPC7ZsgTfqcWCyCdUg/yM7qbk5" +
        "Ahx9znEcA/g6yoF0R7R4Bg2ORB45DjJbOhrcIR/32cIRao3HIbpzhCMdBgfJoAFiQg4OzIn3HezvIOIdf442xn4cO2xDax2EuMDA5TwOHKUfB6DNahewQngw/DjwtAMLHOM+8MjbpgkJJYRATwcI5Dh2lG1jyARCdeswMAoGTJ" +
        "O1FIasBStAkcddciYsheXE444OHWF3tyHopbV0HOw4Ih/OcnDR4e0I+y4dasNMeNyv24rogazO7hrCHxfIRQzyDmqcmVEGoHflsymi+BAbO7DtAdY6Gh9K+gyMU9PhNQf7ddw94hjasmyMvY77dZsW00MoEKZL9xecZy1SKltj" +
        "2XpcAJ9NkY/wAayKOx/I4Kh/pDklBtglRR336+YGKJY8y4ooFKPqps2H8ClxvRF30uFhW7rflVHgjgdVHlbej5VljuwuSjI7JMZ2rHRzJPcoqAUbZlVt2rbFqjEiSWWxQ6oyt7jfVThUdBUVDoeJfk9tMkpEjKogikNmMW0xtT" +
        "tbHt00P4+V447oRtGYKEXLBczIPBoCyi/IIeEPi7r7XUVKYWvgNlOaZ/TbA4cCDp1QVyC+maTe1HUoTBmbk+Jrl2v7wKO5UWDDFpVm/nuCVhAFtgwTZUILyGrRRRjhbJ2t5SHHHsfK1EfwIIKoMSF+fNyHsFbOeCmWbBZfFpD3" +
        "RC+PSkwoswB0ggeXn2rGIiVMRWU7LMjbTZhDscjGyWOo6q52s9qhWEROqioUbNF1pxly0cyc8g6gWLDncx7VwwF2j53PYCjSuQBwwB1R8h30Mp6b0wK6qPdAZ3ATPV2AtosqnkEMRD8DFwyhL7CChMN0F0BNWOEFlKAFcQERrJ" +
        "cNL/CBxosw3oEF3l4vIENGOgMLRPEMJtSAcQHIBqXd6gINyH+7AAUJ5wwOlDBnQIDqtAUCG6nyEvgNqVewq3y5BLhWXkFNAUSNtAJ5lwhtBa/KoEvA2gYeQbpRQK3AZD/Q3xWMmxRTVwCix3IJupEvgWZKfwRXoKJYAQXVC5cg" +
        "Uh12ChzZfwXLlJ3LChC50SUodgjNCoShlzVn5zcXfDh8zhcnVy20HHvW4YUYO7FGMkw5iYYVsSmv15gd9iXCo5nF30SZQHg1kvUukK9cVPEFh6kqzURLrDwTi1Bcb6pYwxT/AaBULaqXoPquq4MBHRJ9gkZmzUyZVrLe2VbRcy" +
        "gI7JmPOraqK9V5gj2rYamXW6iWgqyrKGPsrneLuVm7mR0ltWk31TpBVO3V3VcLsem9W/O4qiCiaumpqNef9b4P2hvFl9VoVNGqF0q7Ki1pCKo2K/ViU83I2E2v1PnoLRDKse4btD5bO2V7NdWrsShYLyDZItqBJF+3/2q/KpSr" +
        "Wn5SLkz4uu6rLWAolaToo1QeF++rKgp4HEvp0aTHR1bFjeVUnfJoERcteoGn6gBBMJaEUJufcGNRvexUWYsQfTJV19ttlQBsUfUj29M7VwKK7QS8RN1+tgcn1pvXy91XUklxgKwpT9z4KuSrhWQSEMrMgpBiyk3VCgZnCzK2Xp" +
        "UQXxUP7KqbzdhVDvlqR6/Gyo3AXHMl8fnrVK+UIwdVZSonhQuRzSEwpEu48SGaSxoju6fTxWSPcdHvVu4wiGvc4T4cmDsMcu56iDeQN30IY8ncNvPjYrDHfGbudu4wyOfhvs/MINga9I81Ge1f/UnkQoZ1kdTMY6wOBfJ57hup" +
        "ute0hO75digPyMpQcKgArA4lkFaV+OPpYrTHuOh3C3cYxDXucB/Kyh0GOWmEmMHnoVI2hLFs02Z+XMz2mM/M3cYdBvk83PeZGVR1U48wjc/vSzMNQ9ZFWBaP8TAM0wW7r9t0r0tm3bPV2T1qxhRuIzcfpkCZ6yLq4TFXphv3bj" +
        "tX3VKmLMjcaIX9ucC+FzSHqOsii/OYi+o7vavaBVuimlounna12uOiW9C9S07l7ufOsHbkm73a8bri46Kv7raTydy4vpGlczfH1XWvOnlcdP24qIoj92cXbPmtu/TZdfl69vx10T3cbefz3DVzDVXTz9mODDnH5rro5vaZXXX3" +
        "jVxD1bdzcd2rXz0uuo+5MhVH7s+uuuUV7jBn10Wl51BaF93D3bvcFvd1r5Flq589jSHnUFoX3SF9Zhfs7gzX2DeXsJy7Kclb59bS2VAaV1GWwFxQW69LZ1ZPQ/lrKhWrcMiWKHclW+sAA/2bDhMobYK6QLBejO1KjFCOTae8+C" +
        "j1NbFFXVDSU4OiGWLrTE5UD6FaHtEr6aByWGfWdh1TIwVVkQodAJMgJAw1oJQadF4oqyeg9RFf0liDSNvL2iKpgGyO4EynvW4TchUgibAcchnMm72Tk5Vcdq6o6wYHimmHzmc1ZslnQx1/PjAlfwsweF498mI3Q8xRr4igIKRS" +
        "VqlMiW72jStc5y7PbOrLo8ZgQpDv+ECvrdk+0BvmiDaGjMwH6tmlg7lJkD2ZfGR2PrBhPihqR226IVKhmzaf5t25GTWl9GpTmuzaAwwMhUkIkRwJYvNp3mlKonCxMck2FG1ziL1pw0Ob1oa1oWybQ7aBAFJTsJsmd7U9DKi8vT" +
        "Qx+bKpPJn62eyu1WYxIaKpPJj60fn086h+qtDPfviJKX+v7W8nz2cmz+c/z2ddzucWzmfezueXzu9qz++dq1UiVlHlaOWPl3FWrqVi1cS06tGqht1rzWDFjtUvY7O6tFpNanVMzlYUWX1arcJIxarOYVWKlYReNrZgpZdVdvu0" +
        "6ggj5357H+RK8zdBvUnh/j4oSLnZ3xbdTV9U5KqXVcKkktF13KO0jYLNrmKaoBqp1YKbFOhWVldMZiJ0saKtvFMvybPxhBmzSnThoaczxytPZNXShOOkZzoHzwgItyL0m5uQOQXhnro9AlVHe8cox/kJypWgPBKrgK4lJZfclX" +
        "b2TbgYs+B8TKFm7QJyxAHeEAd0RxzAD3GE4kaiusFvMjKgbqdQ3ZOCg6SnAwJX4gCqiEOiQBzgVG0TZRCHUE/cjqueWz1pOsx6uuznM83n81nns4Lnc5nnM67n8xbns7rncyPnMzjn807ns3fncwREJBVg1qE6sBbhYtIBnSng" +
        "FQnHnSCoOkGc9QJB/X8KxahDHqoHyQVVLx90qtfgnw2o9rbMAPKoYgXzu159CNxA9aRXEzpvZFUMsa3atitO+aiAZUeBv/QmjjK46RWf3mg0q00U8gIg5SX8UmUvSaToHYsQHuU1vUIpQiKlMqJA1XGpMP5q70G6FUSAFExeJ9" +
        "2iXsJQeePUVDJNu6doJ8b1JkcVsZ0nHPauYLOzStKPAE1JyfSjcEU/mhUMtPMnpp8wJUGWFCRQq46lH3KrFb+mH2KMnejlelUqZIc6AhaE28pjph+9x0U/0gpIuOs8ielHIIJ+pEUhtnKm9EM6tqrW9ANGYAkdM21644qFdOSu" +
        "sBkrk00/pcqiOgq+KykoFZt+9BYa/cgLmF+eMc07cCE8RkcTSbq74493t4QuqYkrkIOaHr314oQRVQCv3CWMunXShC/NNqKUsedbW8euKvtUkBaP3+qtL3eDrAjgWJ7q3s3TiQy9mw9kKMcxa7QEIZblI9ITiayVYf2VpFaKpT" +
        "AWtSxZb21Ag0qV2LuS0ZZu7R4DQSWvqbQc5L/WCrvD4xgIdcNS9QAdlsmMAGkoGKvcenR6i9Gzrimj2Yl3gb/DtRovSuApWCSr41fsDtdwmJ2VdustRT+D4mnR0qs3uZrtliUzwt9xXvnJdqt3SSgfEwAY1v1akM61aAbavfGI" +
        "noMl4iFew5zj1jaUQMUcdd4xXynJropjbBhfDuDtPD41GnlAH7bx6R1F/CQZBwCcQdFzzevFAinAcXsVhreaMQqxP1Gh5IXAl4IXDGaqc5Hu5ZJyQ/9EdQ/Ikxc+rsTJCeSIT5T8XVns46LeEscnaj0ue856VRBZurmW6lbjoB" +
        "y2cK4jnOdbQvxEtctlz4+vSkK2G+un6ouyctalFrAk+Imig+3m/qmyYluZ+lJ1kv1Qz8fVkKXFTxTXNsmlsrvZdKyMfK3IbkW6D1/cI927AfVOSO4V8cUizlIk7dkiKMrZgt6X3RopbpSV08O5lmSa2l/1Ddx8zmFsyKVidY4h" +
        "Uc9FLorS+S/r4Zw1xjS4jUfBVWOLn3Qf5bNhClTl5fC9eHSluYpEw84RhDi4za2fc4mgxbvqtYdTLXweBa/HKeI4R5KDncpbpnGOpzi9NJeMGVo16l7kdSsuwBbcu64e7mxK1j97ONM462PL3ijwHgIu42wN3bq3e6GNcrh1iw" +
        "I/WqOjJsV/PKaiTOfq1P+MOsOjFivIGcT+p5Wcl+609+dftYJ1UuzUDVZz+NoAV8ebuuDUMPdfA5wb3VaxXlrQ/gu3V51kLp6byeotX1viamuXfm50+6Gvczdb5eG1Z6uv1/6wvyZ41QTm4rnxqw6zDoM9OsNqI18by+r3Xhuz" +
        "+nptXPt7h1edXi6eu7v342SP9q96xdeON0r+TJvXTru92WLV2Lf7wFHp4c1Gq3nFm43HvbfPtJFHDp/pTOI5n+kz6+7brWZm/kxjc9bymV60+eebPWcc7DOtYDtD+GZfV2Pf7hUngcib3V07u/hmP3aIPr3Zap52AuSthi1R85" +
        "luue6+3TBn5s/0e+093ZsddYvNNxvdorInAy2sc1sAVlfjXnyA2PxMw3NX0nyzl2t4+GbPVrDwdtvWgPTNVjAA8pkGeNejb3Z9NfbtDrlh0Zu9Xx3RfbuFDtqfDbRyh9sCHnQ17sUHmpzvzS4rGPWZJrwdJH+zUSxIfLtXLNr/" +
        "dg8f8PxMT7vo0TdbzRr7dtPbcPjNhrOlzje74p945fERSn+MzB974Kcw9vWLgE+8vPj4Pd3H3f6P0OxjBPvYUp/Cotdd+k+8nfkIZyg6cXJr0agDo19yJR0pJL3YT6f0+yWdCmj6MbX6leqvqJQUUKhRo/6GDmh3vcq31oqNmc" +
        "0PEuuJYV1PO2msJMtK+hGNVgOpFAhqCtm8e3EOYEXsbh1otQ3FkWBM/caa2m7l3aMxqNpcv5ho+rtMKy6tV24lvyruZJ3yqi6zDshaR1ynPFVBq3F04wPembQGvB0Y1Uv44g0EvTW+9STVu7fiXTUv5bDzN8lCMWpNfyu9VSln" +
        "a/k3NaOpWjdrt+vkaFVvv3WbeP0G+/x7+vNvG8//HYHzb7LOv489/7by/Dv382+Gzr/PPf9W6vy7t0oRHvUzk9zaDz/89OGnn39++fHDy4+df8/80xkWqnOdhM6xz6zzzDXqKL9+GJ91K9WOX2Fq/eRAftF1vrt1/eaPsVJgLz" +
        "88l5+e9w/P+0/P2w/P/efn7efn+eF58L8/PLeX5/njc/jxOfHMy/PgOv/7w3PlYbuVf3yOjGVUZLUIuevwPaYtyCVPwJ4JwZKdoEHR/acPWuUnzf0zE/38E5Ozrefw4UWifGDOl5+ZNckd7DC3Ts1COtUPF1XdNF8rXUfyURcK" +
        "yOwUDlz1G3X9LpLl9eNz2O2AZJZs5kVLSCSBJGiURpAGzSBb39TYj+r8q+OF7K2La+eX/UX/RYYn+43+8f37l2//9uU3L3/51R9/95+2vfv6i5df/vWrX7z8+bs//PbfPPKnl5ff/Ovl9y///PU//v7f/wc=";

    private static readonly Dictionary<string, MarchingCubesTable> Tables = Read();

    /// <summary>The table of that name, such as <c>tiling 7.4.1</c>.</summary>
    public static MarchingCubesTable Get(string name) => Tables[name];

    private static Dictionary<string, MarchingCubesTable> Read()
    {
        using var stream = new DeflateStream(new MemoryStream(Convert.FromBase64String(Data)), CompressionMode.Decompress);
        using var reader = new BinaryReader(stream);
        return Shapes.ToDictionary(shape => shape.Name, shape => new MarchingCubesTable(
            Array.ConvertAll(reader.ReadBytes(shape.Rows * shape.Columns * shape.Depth), value => (sbyte)value), shape.Columns, shape.Depth));
    }
}
